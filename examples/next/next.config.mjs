// A server of its own folder, as images for containers have. It is not needed for ijepa.
export default { output: "standalone" };
