/** An exploration in readable lines. */
import type { Exploration } from "./explore.js";

export function told(exploration: Exploration): string {
  const { model, outcome, states, depth, violation, history = [], repeated } = exploration;
  const again = repeated ? `, of which the last ${repeated} come again and again` : "";
  const found =
    outcome === "violated" ? `: ${violation}, after ${history.length - 1} steps${again}` : `, depth ${depth}`;
  const missed = exploration.missed.map((landmark) => `\n   never reached: ${landmark}`).join("");
  return [`${model}\n   ${states.toLocaleString("en")} states, ${outcome}${found}${missed}`, ...history].join(
    "\n  ",
  );
}
