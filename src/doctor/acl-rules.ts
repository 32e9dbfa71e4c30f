import { needsOf, type Role } from './needs.js'
import type { Deployment } from './needs/need.js'
import type { Places } from './places.js'
import type { Use } from './subject.js'

/** What one ACL user may do, as `ACL SETUSER` takes it. */
export interface AclRules {
  readonly keys: readonly string[]
  readonly channels: readonly string[]
  readonly commands: readonly string[]
}

/** For asking the doctor as this user: it asks for leave within a transaction that it discards. */
const FOR_THE_DOCTOR = ['+multi', '+discard']

/** The least that a role can do with, everything else denied. @param at - see `patternsOf`. */
export function aclRules(role: Role, uses: readonly Use[], at: Places, deployment: Deployment): AclRules {
  const needs = needsOf(role, uses, at, deployment)
  const unique = (texts: readonly string[]): string[] => [...new Set(texts)].sort()
  const commands = needs.map(({ command }) => `+${command.toLowerCase().replace(' ', '|')}`)
  return {
    keys: unique(needs.flatMap(({ keys = [] }) => keys)).map((key) => `~${key}`),
    channels: unique(needs.flatMap(({ channels = [] }) => channels)).map((channel) => `&${channel}`),
    commands: unique([...commands, ...FOR_THE_DOCTOR]),
  }
}

/**
 * The command that makes a user of these rules, in lines of readable length; all of them are one command.
 *
 * @param password - without one nobody can log in as that user until it is given one.
 */
export function aclUserLines(
  user: string,
  { keys, channels, commands }: AclRules,
  password?: string,
): string[] {
  const lines = [`ACL SETUSER ${user} reset on${password === undefined ? '' : ` >${password}`}`]
  for (const rules of [keys, channels, commands]) {
    let line = ''
    for (const rule of rules) {
      if (line !== '' && line.length + rule.length > WIDTH) {
        lines.push(line)
        line = ''
      }
      line += `${line === '' ? ' ' : ''} ${rule}`
    }
    if (line !== '') lines.push(line)
  }
  return lines
}

const WIDTH = 110
