export { pipeline } from "../index.js";
