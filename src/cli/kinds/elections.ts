import { segment } from "../names.js";
import { read } from "../pages.js";
import type { Election } from "../types.js";
import { HOLDING, holding, json, NO_LABEL } from "./cells.js";
import type { Kind } from "./kind.js";

export const elections: Kind<Election> = {
  read: (transport, name) => read(transport, `/elections/${segment(name)}`),
  head: ["name", "leader", "term", ...HOLDING, "value", "waiting"],
  rows: ({ name, leader, known, waiting }) => {
    const nobody = known ? "(nobody)" : "(unknown: votes are split)";
    if (!leader) return [[name, nobody, null, null, null, null, waiting]];
    const { candidate, term, value } = leader;
    return [[name, candidate ?? NO_LABEL, term, ...holding(leader), json(value), waiting]];
  },
};
