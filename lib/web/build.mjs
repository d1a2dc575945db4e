// Builds dist from src. With --check it fails if dist differs from what is committed. It prints the sizes of what users
// download, minified and gzipped, and fails above the limits.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { minify } from 'terser'
import { internal } from './internal.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))

// The files of dist: the source of each, and how many bytes it may have, minified and gzipped.
const entries = [
  { name: 'herald', source: 'src/client/index.ts', limit: 6144, mangleProps: new RegExp(`^(${internal.join('|')})$`) },
  { name: 'herald-react', source: 'src/react/index.ts', limit: 1024 },
  { name: 'herald-uploads', source: 'src/uploads/index.ts', limit: 3072, compress: { hoist_funs: true } },
].filter(({ source }) => existsSync(join(root, source)))

// Each file imports the others instead of containing them, so that there is one connection however many are used.
const shared = {
  name: 'shared',
  setup(b) {
    b.onResolve({ filter: /\/(client|react|uploads)\/index\.ts$/ }, ({ path, kind, resolveDir }) => {
      const entry = kind !== 'entry-point' && entries.find(({ source }) => join(root, source) === join(resolveDir, path))
      return entry ? { path: `./${entry.name}.js`, external: true } : undefined
    })
  },
}

const options = { bundle: true, format: 'esm', target: 'es2022', minify: true, legalComments: 'none', charset: 'utf8', absWorkingDir: root }

// terser makes a smaller file than esbuild: it puts functions that are used once in their place.
// unsafe_comps turns !(a <= b) into a > b, which differs for NaN only: the client compares no number that can be NaN. unsafe
// assumes that nobody has replaced the functions of the language, and writes String(x) as x + "".
const terser = { module: true, compress: { passes: 3, ecma: 2022, unsafe_arrows: true, unsafe: true, unsafe_comps: true, reduce_funcs: false, if_return: false }, mangle: true }

async function buildAll(outdir) {
  mkdirSync(outdir, { recursive: true })
  for (const { name, source, mangleProps, compress } of entries) {
    const { outputFiles } = await build({
      ...options, minifyIdentifiers: false, minifyWhitespace: false, minify: false, minifySyntax: true,
      entryPoints: [source], external: ['react'], plugins: [shared], mangleProps, write: false,
    })
    const { code } = await minify(outputFiles[0].text, { ...terser, compress: { ...terser.compress, ...compress } })
    writeFileSync(join(outdir, `${name}.js`), `${code}\n`)
  }
  const page = 'src/page/build.mjs'
  if (existsSync(join(root, page))) {
    const { buildPage } = await import(`./${page}`)
    await buildPage({ root, outdir: join(outdir, 'page'), options })
  }
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.types.json', '--outDir', join(outdir, 'types')], { cwd: root, stdio: 'inherit' })
}

function files(dir) {
  return readdirSync(dir).flatMap((name) => (statSync(join(dir, name)).isDirectory() ? files(join(dir, name)) : [join(dir, name)])).sort()
}

function differences(built, committed) {
  const names = new Set([...files(built).map((file) => relative(built, file)), ...files(committed).map((file) => relative(committed, file))])
  return [...names].filter((name) => {
    const [a, b] = [join(built, name), join(committed, name)]
    return !existsSync(a) || !existsSync(b) || !readFileSync(a).equals(readFileSync(b))
  })
}

function sizes(dir) {
  let failed = false
  for (const { name, limit } of entries) {
    const file = readFileSync(join(dir, `${name}.js`))
    const size = gzipSync(file, { level: 9 }).length
    console.log(`${name}.js: ${file.length} bytes, ${size} gzipped (limit ${limit})`)
    failed ||= size >= limit
  }
  return failed
}

const check = process.argv.includes('--check')
const outdir = check ? mkdtempSync(join(tmpdir(), 'herald-web-')) : join(root, 'dist')
if (!check) rmSync(outdir, { recursive: true, force: true })
try {
  await buildAll(outdir)
  await build({ ...options, entryPoints: ['example/app.tsx'], jsx: 'automatic', write: false }) // it compiles with dist
  if (sizes(outdir)) {
    console.error('a file is over its limit')
    process.exitCode = 1
  }
  const different = check ? differences(outdir, join(root, 'dist')) : []
  if (different.length > 0) {
    console.error(`dist is not what src builds; run "npm run build": ${different.join(', ')}`)
    process.exitCode = 1
  }
} finally {
  if (check) rmSync(outdir, { recursive: true })
}
