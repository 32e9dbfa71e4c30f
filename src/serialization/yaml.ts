import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'
import type { ScalarTag, SchemaOptions, Tags } from 'yaml'
import { UndecodableBodyError } from './errors.js'
import { toPlainTree } from './plain-tree.js'

const require = createRequire(import.meta.url)
/** Loaded when the first YAML is met: it takes 5 MB, and most processes meet none. */
const yaml = (): typeof Yaml => require('yaml') as typeof Yaml

const FLOAT = 'tag:yaml.org,2002:float'
const BOOL = 'tag:yaml.org,2002:bool'
const MERGE = 'tag:yaml.org,2002:merge'

/** PyYAML takes a number with an exponent for text unless its mantissa has a point and its exponent a sign. */
const exponentFloat: ScalarTag = {
  tag: FLOAT,
  default: true,
  identify: (value) => typeof value === 'number' && value.toString().includes('e'),
  test: /^[-+]?(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*)[eE][-+]\d+$/,
  resolve: (text) => Number(text.replaceAll('_', '')),
  stringify: ({ value }) => String(value).replace(/^(-?\d+)e/, '$1.0e'),
}

/** YAML 1.1 has `y` and `n`, too, which PyYAML takes for text. */
const trueTag = boolTag(true, /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/)
const falseTag = boolTag(false, /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/)

function boolTag(value: boolean, test: RegExp): ScalarTag {
  return {
    tag: BOOL,
    default: true,
    identify: (given) => given === value,
    test,
    resolve: () => value,
    stringify: () => String(value),
  }
}

/** YAML 1.1 as PyYAML reads and writes it: `yes` is true, `2024-02-03` a date. */
const PYYAML = { version: '1.1', customTags: pyyamlTags } as const satisfies SchemaOptions & {
  version: '1.1'
}

function pyyamlTags(tags: Tags): Tags {
  const kept = tags.filter((tag) => {
    if (typeof tag === 'string') return true
    return tag.tag !== BOOL && !(tag.tag === FLOAT && tag.format === 'EXP')
  })
  return [exponentFloat, trueTag, falseTag, ...kept]
}

/**
 * Write YAML that PyYAML's safe loader reads.
 *
 * @throws {@link EncodeError}
 */
export function formatYaml(value: unknown): string {
  const tree = toPlainTree(value, {
    date: (date) => date,
    integer: (integer) => integer,
    number: (number) => number,
  })
  return yaml().stringify(tree, {
    ...PYYAML,
    // A member that happens to be named `<<` merges nothing.
    customTags: (tags) => pyyamlTags(tags).filter((tag) => typeof tag === 'string' || tag.tag !== MERGE),
    // Quoted text is text in every reader: plain, PyYAML takes `<<` and `=` for something else.
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'QUOTE_DOUBLE',
    aliasDuplicateObjects: false,
    lineWidth: 0,
  })
}

/**
 * Read YAML as PyYAML's safe loader does: tags that name anything but plain data are refused. Integers beyond
 * 2^53 become bigint, timestamps Date.
 *
 * @throws {@link UndecodableBodyError}
 */
export function parseYaml(text: string): unknown {
  try {
    const document = yaml().parseDocument(text, { ...PYYAML, intAsBigInt: true, logLevel: 'silent' })
    const fault = document.errors[0] ?? document.warnings[0]
    if (fault !== undefined) throw fault
    return document.toJS({ reviver: (_key, value: unknown) => narrowInteger(value) })
  } catch (error) {
    throw new UndecodableBodyError(`the body is no safe YAML: ${(error as Error).message}`, { cause: error })
  }
}

function narrowInteger(value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
