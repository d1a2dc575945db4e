// Builds the page: page.ts with all that it imports into page.js, page.css minified, and the other files as they are.
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

export async function buildPage({ root, outdir, options }) {
  const source = join(root, 'src/page')
  await mkdir(outdir, { recursive: true })
  await build({ ...options, entryPoints: [join(source, 'page.ts'), join(source, 'page.css')], outdir })
  for (const name of ['index.html', 'icon.svg']) await copyFile(join(source, name), join(outdir, name))
}
