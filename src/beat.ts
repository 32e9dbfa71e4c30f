#!/usr/bin/env node
import { Command } from 'commander'
import { defineBeat } from './cli/commands/beat.js'
import { runProgram } from './cli/run-program.js'

await runProgram(defineBeat(new Command('beat').exitOverride()))
