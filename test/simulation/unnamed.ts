// The compiler of tsx has every function told its name again whenever it is made, which takes a tenth of a run. Nobody
// asks for it here. To be imported before all else.
const { defineProperty } = Object;

Object.defineProperty = (target, key, attributes) =>
  key === "name" && typeof target === "function" ? target : defineProperty(target, key, attributes);
