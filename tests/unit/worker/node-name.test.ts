import { expect, it } from 'vitest'
import { nodeFile } from '../../../src/worker/node-name.js'

it.each([
  ['/run/%n.pid', '/run/w1.pid'],
  ['%h-%d-%p', 'a.example.org-example.org-w1@a.example.org'],
  ['%n%I-%i-100%%n', 'w1-0-100%n'],
])('names files for one node as Celery does: %s', (pattern, file) => {
  expect(nodeFile(pattern, 'w1@a.example.org')).toBe(file)
})
