import { z } from "@hono/zod-openapi";
import { answer } from "../fields.js";

export const TargetGroupsSchema = z
  .array(
    answer("TargetGroup", "A member as Prometheus reads it.", {
      targets: z
        .array(z.string())
        .readonly()
        .openapi({ description: "Its address, as host and port.", example: ["10.0.0.7:9000"] }),
      labels: z.record(z.string(), z.string()).openapi({
        description:
          "__meta_quorate_namespace, _service, _id, _address, _status, _weight, _zone if it has one, _tags with a comma before and behind each, _metadata_{name} for each text, number and boolean at the top of its metadata; __scheme__ where its address is a URL.",
        example: { __meta_quorate_service: "search", __meta_quorate_id: "search-1" },
      }),
    }),
  )
  .openapi("TargetGroups", { description: "The live members, in groups of one." });
