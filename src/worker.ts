#!/usr/bin/env node
import { Command } from 'commander'
import { defineWorker } from './cli/commands/worker.js'
import { runProgram } from './cli/run-program.js'

await runProgram(defineWorker(new Command('worker').exitOverride()))
