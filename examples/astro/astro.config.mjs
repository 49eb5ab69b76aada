import node from "@astrojs/node";

// The adapter is for the endpoint only.
export default { adapter: node({ mode: "standalone" }) };
