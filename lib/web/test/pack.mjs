// Packs the package, installs it by its path in another project, and compiles and runs a program there, without a network.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'herald-pack-'))
const run = (command, args, cwd) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

try {
  const [{ filename, files }] = Object.values(JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], root)))
  const strange = files.filter(({ path }) => !/^(dist\/(types\/.+\.d\.ts|[\w-]+\.js)|package\.json|README\.md|PROTOCOL\.md)$/.test(path))
  if (strange.length > 0) throw new Error(`the package has ${strange.map(({ path }) => path)}`)

  const project = join(dir, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', version: '1.0.0', type: 'module', private: true }))
  run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps', join(dir, filename)], project)
  for (const name of ['react', 'react-dom', 'scheduler', 'csstype', '@types/react', '@types/react-dom']) {
    cpSync(join(root, 'node_modules', name), join(project, 'node_modules', name), { recursive: true })
  }

  // The example is the program: it uses the package by its name.
  cpSync(join(root, 'example', 'app.tsx'), join(project, 'app.tsx'))
  writeFileSync(join(project, 'client.ts'), `
import { connect, HeraldError, type Herald, type Job, type Note, type Status } from '@herald-progress/web'
const herald: Herald<{ customer: string }> = connect({ url: 'wss://example.com', token: async ({ refused }) => String(refused) })
const jobs: readonly Job<{ customer: string }>[] = herald.jobs.getSnapshot()
const [note]: readonly Note[] = herald.notes.getSnapshot()
const status: Status = herald.status.getSnapshot()
herald.on('notification', ({ data }) => data.title.length)
herald.on('something_new', ({ data }) => String(data))
void herald.until('u-42').then((job) => job.meta?.customer)
export default [jobs, note, status.state, HeraldError]
`)
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({
    compilerOptions: {
      target: 'ES2022', lib: ['ES2022', 'DOM'], module: 'NodeNext', moduleResolution: 'NodeNext', strict: true, jsx: 'react-jsx',
      noEmit: true, types: [],
    },
  }))
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], project)
  writeFileSync(join(project, 'run.mjs'), `
import { connect } from '@herald-progress/web'
import { useJob } from '@herald-progress/web/react'
const herald = connect({ url: 'wss://example.com', token: 't' })
if (herald.jobs.getSnapshot().length !== 0 || typeof useJob !== 'function') throw new Error('it does not run')
herald.close()
`)
  run(process.execPath, ['run.mjs'], project)
  console.log(`${filename}: ${files.length} files; another project installs, compiles and runs it`)
} finally {
  rmSync(dir, { recursive: true })
}
