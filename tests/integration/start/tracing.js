// What an operator has loaded first (`node --import`): an SDK, of which each span is a line.
import process from 'node:process'
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'

const exporter = {
  export(spans, done) {
    for (const { name, kind } of spans) process.stdout.write(`span ${name} ${kind}\n`)
    done({ code: 0 })
  },
  shutdown: () => Promise.resolve(),
}
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
