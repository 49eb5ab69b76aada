/** as-pect: the lib functions and micro-kernels against plain loops, on edge values. */
export default {
  entries: ["assembly/__tests__/*.spec.ts"],
  include: [],
  disclude: [/node_modules/],
  async instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
