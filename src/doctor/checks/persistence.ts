import { fault, ok, unseen, warning } from '../finding.js'
import { readConfig } from '../server-view.js'
import type { ServerCheck } from '../subject.js'

const NAME = 'persistence'

export const persistence: ServerCheck = {
  name: NAME,
  async look({ client, info }, { uses }) {
    const aof = info.kind === 'seen' ? info.value.get('aof_enabled') === '1' : await isAofOn()
    if (aof === undefined) return unseen(NAME, info.kind === 'unseen' ? info.why : 'CONFIG GET')
    if (info.kind === 'seen') {
      if (aof && info.value.get('aof_last_write_status') === 'err') {
        return fault(NAME, 'the append-only file cannot be written', 'look at the disk: writes are refused')
      }
      if (info.value.get('rdb_last_bgsave_status') === 'err') {
        return fault(NAME, 'the last snapshot failed', 'look at the disk: writes may be refused (MISCONF)')
      }
    }
    if (aof) return ok(NAME, 'append-only file')
    const kept = uses.includes('broker') ? 'waiting messages' : 'results'
    const save = await readConfig(client, 'save')
    if (save.kind === 'unseen') {
      const found = 'no append-only file; whether there are snapshots was not seen'
      return warning(NAME, found, `set appendonly yes: a crash loses ${kept} else`)
    }
    if (save.value === '') {
      return warning(NAME, `none: a restart loses all ${kept}`, 'set appendonly yes')
    }
    const found = 'snapshots only: a crash loses what came since the last one'
    return uses.includes('broker') ? warning(NAME, found, 'set appendonly yes') : ok(NAME, found)

    async function isAofOn(): Promise<boolean | undefined> {
      const setting = await readConfig(client, 'appendonly')
      return setting.kind === 'seen' ? setting.value === 'yes' : undefined
    }
  },
}
