import { build } from 'esbuild'
import { expect, test } from 'vitest'

// Returns what an application's bundle has, when it imports these names from the package's built files.
async function bundle(code: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: new URL('..', import.meta.url).pathname }, bundle: true, format: 'esm', minify: true, write: false, external: ['react'],
  })
  return outputFiles[0]!.text
}

test('an application that does not upload has no byte of uploads', async () => {
  for (const code of [
    'import { connect } from "@herald-progress/web"; console.log(connect)',
    'import { useJob, useHerald } from "@herald-progress/web/react"; console.log(useJob, useHerald)',
  ]) expect(await bundle(code)).not.toMatch(/XMLHttpRequest|upload_resume|localStorage/)
  expect(await bundle('import { useUpload } from "@herald-progress/web/react"; console.log(useUpload)')).toMatch(/upload_resume/)
})

test('uploads contain no second client', async () => {
  expect(await bundle('import { upload } from "@herald-progress/web/uploads"; console.log(upload)')).not.toMatch(/WebSocket/)
})
