import { describe, expect, it } from 'vitest'
import { Celery, InvalidArgumentError } from '../../../src/index.js'
import { SettingsError } from '../../../src/app/settings-error.js'

describe('app.configure', () => {
  it('replaces what it is given and keeps the rest', () => {
    const app = new Celery('shop', {
      broker: 'redis://one/0',
      backend: 'redis://one/1',
      taskDefaultQueue: 'q',
    })
    app.configure({ broker: 'memory://', taskAcksLate: false })
    expect(app.settings).toMatchObject({
      broker: 'memory://',
      backend: 'redis://one/1',
      taskDefaultQueue: 'q',
      taskAcksLate: false,
    })
    app.configure({ backend: undefined })
    expect(app.settings.backend).toBeUndefined()
  })

  it('leaves the app as it was where a setting is wrong', () => {
    const app = new Celery('shop', { broker: 'memory://' })
    expect(() => app.configure({ broker: 'http://x' })).toThrow(SettingsError)
    expect(app.settings.broker).toBe('memory://')
    app.configure({ taskDefaultQueue: 'q' })
    expect(app.settings).toMatchObject({ broker: 'memory://', taskDefaultQueue: 'q' })
  })

  it('refuses an app that has sent something already', async () => {
    const app = new Celery('shop', { broker: 'memory://', backend: 'memory://' })
    await app.sendTask('any')
    expect(() => app.configure({ taskDefaultQueue: 'q' })).toThrow(InvalidArgumentError)
    await app.close()
  })
})
