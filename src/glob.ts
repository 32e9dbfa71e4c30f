/** As Python's `fnmatch`: `*`, `?`, `[abc]` and `[!abc]`, for the whole name. */
export function globMatcher(glob: string): (name: string) => boolean {
  const source = glob.replace(
    /\[(!?)([^\]]+)\]|[^]/g,
    (char, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replace(/[\\^[]/g, '\\$&')}]`
      if (char === '*') return '.*'
      if (char === '?') return '.'
      return char.replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    },
  )
  const whole = new RegExp(`^${source}$`, 's')
  return (name) => whole.test(name)
}
