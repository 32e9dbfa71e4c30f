import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { startPythonClient } from '../support/python-client.js'
import { startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'
import type { Celery, ResultNode } from '../../src/index.js'
import type { PythonClient } from '../support/python-client.js'

describe.each(celeryGenerations)('groups of results, with $name', ({ python }) => {
  async function start(): Promise<{ app: Celery; client: PythonClient }> {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('pytasks.add', (x: number, y: number) => x + y)
    app.task('pytasks.mul', (x: number, y: number) => x * y)
    await app.startWorker()
    return { app, client: startPythonClient({ broker: url, python }) }
  }

  it('are found here that Python saved, those inside as well', async () => {
    const { app, client } = await start()
    const saved = await client.evaluate(`
inner = GroupResult('inner-group', [add.delay(3, 4), add.delay(5, 6)])
outer = GroupResult('outer-group', [add.delay(1, 2), inner], parent=AsyncResult('parent'))
outer.save()
result = outer.as_tuple()
`)
    const found = app.groupResult('outer-group')
    expect(await found.join({ timeout: 20_000 })).toEqual([3, [7, 11]])
    expect([found.asTuple()[1], await found.completedCount()]).toEqual([(saved as unknown[])[1], 3])
  })

  it('are found by Python that were saved here', async () => {
    const { app, client } = await start()
    const sent = await client.evaluate(`
outer = GroupResult('outer-group', [add.delay(1, 2), GroupResult('inner-group', [add.delay(3, 4)])])
outer.save()
result = None
`)
    expect(sent).toBeNull()
    const group = app.groupResult('outer-group')
    await group.children()
    await group.delete()
    expect(await client.evaluate(`GroupResult.restore('outer-group', app=app)`)).toBeNull()
    await group.save()
    expect(await client.evaluate(`GroupResult.restore('outer-group', app=app).get(timeout=20)`)).toEqual([
      3,
      [7],
    ])
  })

  it('are named as children by both alike', async () => {
    const { app, client } = await start()
    const id = (await client.evaluate(`add.apply_async((1, 2), link=[add.s(10), mul.s(10)]).id`)) as string
    const result = app.asyncResult(id)
    expect(await result.get({ timeout: 20_000 })).toBe(3)
    const seen: unknown[] = []
    for await (const [node, value] of result.collect({ timeout: 20_000 })) seen.push([node.id, value])
    const told = (await client.evaluate(
      `[(r.id, v) for r, v in AsyncResult('${id}', app=app).collect(timeout=20)]`,
    )) as unknown[]
    expect(seen).toEqual(told)
    const graph = await result.graph()
    const children = (await result.children()).map((node: ResultNode) => node.id)
    expect(graph.filter(({ parent }) => parent?.id === id).map(({ node }) => node.id)).toEqual(children)
  })
})
