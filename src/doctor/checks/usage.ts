import { fault, ok, unseen, warning } from '../finding.js'
import { factOrConfig } from '../server-view.js'
import type { ServerCheck } from '../subject.js'

/** Something that a server has only so much of. */
export interface Resource {
  /** The check's name. */
  readonly name: string
  /** Name of the fact in `INFO` that tells how much is used. */
  readonly used: string
  /** Name of the setting that limits it; 0 or less stands for no limit. */
  readonly limit: string
  readonly show: (used: number) => string
  readonly showShare: (used: number, most: number) => string
  readonly advice: string
}

/** How near to its limit a resource is. */
export function usageCheck({ name, used: fact, limit, show, showShare, advice }: Resource): ServerCheck {
  return {
    name,
    async look(view) {
      if (view.info.kind === 'unseen') return unseen(name, view.info.why)
      const used = Number(view.info.value.get(fact))
      const setting = await factOrConfig(view, limit, limit)
      if (Number.isNaN(used)) return unseen(name, `INFO tells no ${fact}`)
      if (setting.kind === 'unseen') return ok(name, `${show(used)}; limit not seen`)
      const most = Number(setting.value)
      if (!(most > 0)) return ok(name, `${show(used)}, no limit`)
      const found = showShare(used, most)
      if (used >= most * 0.95) return fault(name, found, advice)
      return used >= most * 0.8 ? warning(name, found, advice) : ok(name, found)
    },
  }
}
