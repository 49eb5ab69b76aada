#!/usr/bin/env node
/** The program `ijepa` for Node, Deno and Bun. */
import { openCliHost, setExitCode } from "../runtime/cli-host.js";
import { run } from "./run.js";

setExitCode(await run(openCliHost()));
