// Starts what has died: a hook of the service tells it which member has expired.
//
//   HOOK_SECRET=whsec_… node on-expired.mjs PORT
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = Buffer.from(process.env.HOOK_SECRET.replace("whsec_", ""), "base64");
const done = new Set();

const server = createServer(async (request, response) => {
  const body = await textOf(request);
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  // Answered first: it is told again, by the same id, what is not answered within 10 s.
  response.writeHead(204).end();
  const { type, data } = JSON.parse(body);
  if (done.has(data.id)) return;
  done.add(data.id);
  if (type === "expired") restart(data.service, data.member.id);
  // Events are missing: whatever the service's list of members lacks is to be started.
  else if (type === "reset") console.log(`${data.service}: read its members`);
});
server.listen(Number(process.argv[2]), "127.0.0.1");

function restart(service, id) {
  console.log(`${service}: ${id} has died, and is started again`);
}

/** Made with the secret, not long ago. */
function isGenuine({ "webhook-id": id, "webhook-timestamp": sentAt, "webhook-signature": given }, body) {
  const signature = createHmac("sha256", secret).update(`${id}.${sentAt}.${body}`).digest("base64");
  const [expected, actual] = [Buffer.from(`v1,${signature}`), Buffer.from(given ?? "")];
  const isOld = !(Math.abs(Date.now() / 1_000 - Number(sentAt)) < 300);
  return !isOld && expected.length === actual.length && timingSafeEqual(expected, actual);
}

async function textOf(request) {
  let text = "";
  for await (const part of request.setEncoding("utf8")) {
    text += part;
    // No event is larger.
    if (text.length > 65_536) request.destroy();
  }
  return text;
}
