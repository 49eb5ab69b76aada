#!/usr/bin/env node
import { openCliHost, setExitCode } from "../runtime/cli-host.js";
import { run } from "./run.js";

setExitCode(await run(openCliHost()));
