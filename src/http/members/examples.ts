import type { Answer, Request } from "../typed-examples.js";
import type { HistorySchema } from "./history-route.js";
import type { MembersSchema } from "./list-schemas.js";
import type * as schemas from "./schemas.js";

const register: Request<typeof schemas.registerBody> = {
  address: "10.0.0.7:9000",
  weight: 1,
  zone: "eu-1a",
  tags: ["canary"],
  metadata: { build: "7f3a" },
  ttlMs: 15_000,
};
export const registerRequests = {
  full: { summary: "Everything that can be said", value: register },
  probed: {
    summary: "Instances look whether it can be reached",
    value: {
      address: "10.0.0.7:9000",
      probe: { http: "http://10.0.0.7:9000/health", intervalMs: 5_000, timeoutMs: 1_000 },
    },
  },
  least: { summary: "What must be said", value: { address: "10.0.0.7:9000" } },
};

export const member1: Answer<typeof schemas.MemberSchema> = {
  id: "search-1",
  address: "10.0.0.7:9000",
  weight: 1,
  zone: "eu-1a",
  tags: ["canary"],
  metadata: { build: "7f3a" },
  status: "up",
  incarnation: 1795222235123,
  revision: 1,
  ttlMs: 15_000,
  lastHeartbeatAgeMs: 812,
  endsInMs: null,
  load: { cpu: 0.42, memory: 0.61, disk: null, inFlight: 12, custom: { queued: 3 } },
};
export const member2: typeof member1 = {
  ...member1,
  id: "search-2",
  address: "10.0.0.8:9000",
  zone: "eu-1b",
  tags: [],
  metadata: null,
  incarnation: 1795222236004,
  lastHeartbeatAgeMs: 2_104,
  load: null,
};
const member3: typeof member1 = {
  ...member2,
  id: "search-3",
  address: "10.0.0.9:9000",
  zone: "eu-1c",
  incarnation: 1795222236377,
  lastHeartbeatAgeMs: 1_731,
};

export const memberKey = "pL0aVb7tQh2ZsX5yKc9wRg";

const registered: Answer<typeof schemas.RegisteredSchema> = {
  ...member1,
  lastHeartbeatAgeMs: 0,
  load: null,
  heartbeatIntervalMs: 5_000,
  memberKey,
};
export const registrations = { registered: { value: registered } };

export const updateRequests = {
  drain: {
    summary: "No more work, and gone after half a minute",
    value: { status: "draining" as const, drainMs: 30_000 },
  },
  weight: { summary: "A larger share", value: { weight: 2 } },
};

const draining: typeof member1 = { ...member1, status: "draining", revision: 2, endsInMs: 30_000 };
export const changes = { draining: { value: draining } };

export const departures = {
  left: { summary: "It was a member until now", value: { left: true } },
  unknown: { summary: "There was no such member", value: { left: false } },
};

const suspect = { reporter: "search-2", reason: "no answer within 2 s" };
export const suspectRequests = {
  report: { summary: "What a caller saw", value: suspect },
  incarnation: {
    summary: "Only if it is still this process",
    value: { ...suspect, incarnation: member1.incarnation },
  },
};

const first: Answer<typeof schemas.SuspicionSchema> = {
  suspect: false,
  reporters: 1,
  reportersNeeded: 3,
  windowMs: 15_000,
};
export const suspicions = {
  first: { summary: "The first report", value: first },
  enough: { summary: "Enough reporters", value: { ...first, suspect: true, reporters: 3 } },
};

export const oneMember = { member: { value: member1 } };

// Of exactly these members and zones: anybody can compute it.
export const ringId = "db98c2ea3cd8c6a7";

const members: Answer<typeof MembersSchema> = {
  members: [member1, member2, member3],
  ringId,
  cursor: null,
  guardEndsInMs: null,
};
export const memberLists = {
  members: { value: members },
  includeGone: {
    summary: "With includeGone",
    value: {
      ...members,
      gone: [
        {
          id: "search-0",
          status: "expired",
          incarnation: 1_795_222_201_876,
          revision: 2,
          address: "10.0.0.6:9000",
          zone: "eu-1b",
          tags: [],
          metadata: null,
          why: "no heartbeat for its time to live",
          goneForMs: 12_000,
          forgottenInMs: 63_000,
        },
      ],
    } satisfies Answer<typeof MembersSchema>,
  },
};

export const serviceLists = {
  services: { value: { services: [{ service: "search", members: 3 }], cursor: null } },
};

const { ttlMs: _, lastHeartbeatAgeMs: __, ...told } = member1;
const happened = (kind: string, revision: number, why: string) => {
  const event = {
    id: `search/search-1/${told.incarnation}/${revision}/${kind}`,
    service: "search",
    member: { ...told, revision },
    why,
  };
  return `data: ${JSON.stringify(event)}\n`;
};
export const events = {
  joined: {
    summary: "A snapshot of one member, and its end",
    value: [
      "retry: 1000\n",
      `event: member\n${happened("joined", 1, "registered")}`,
      `event: synced\nid: 8Qm2Xv0amau9wfs0.0\ndata: {"service":"search","members":1,"ringId":"${ringId}"}\n`,
      `event: left\nid: 8Qm2Xv0amau9wg1x.0\n${happened("left", 1, "left").replace('"status":"up"', '"status":"left"')}`,
      'event: bookmark\nid: 8Qm2Xv0amau9wg1x.0\ndata: {"service":"search"}\n',
      "",
    ].join("\n"),
  },
};

export const histories = {
  expired: {
    summary: "It sent no more heartbeats",
    value: {
      history: [
        {
          atMs: 1_795_222_235_131,
          event: "joined",
          why: "registered",
          incarnation: 1795222235123,
          revision: 1,
          status: "up",
        },
        {
          atMs: 1_795_222_391_406,
          event: "expired",
          why: "no heartbeat for its time to live",
          incarnation: 1795222235123,
          revision: 1,
          status: "expired",
        },
      ],
    } satisfies Answer<typeof HistorySchema>,
  },
};
