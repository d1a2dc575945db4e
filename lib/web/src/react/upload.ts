import { useCallback, useMemo, useState, useSyncExternalStore } from 'react'
import { connect, type Options } from '../client/index.ts'
import { upload, type Upload, type UploadOptions, type UploadStatus } from '../uploads/index.ts'
import { useOptions } from './hooks.ts'

/** What {@link useUpload} returns: the status of the upload that it began last, if there is one, and what can be done. */
export interface UploadHook extends Partial<UploadStatus> {
  /** Uploads a file. The upload goes on when the component is gone. */
  upload(file: File, options?: UploadOptions): Upload
  pause(): void
  resume(): void
  cancel(): void
}

/** Uploads files. The component renders again when the last upload changes. `useJob(job)` shows its import, too. */
export function useUpload(options?: Options): UploadHook {
  const stable = useOptions(options)
  const [last, setLast] = useState<Upload>()
  const subscribe = useCallback((listener: () => void) => last?.subscribe(listener) ?? (() => {}), [last])
  const status = useSyncExternalStore(subscribe, () => last?.getSnapshot(), () => undefined)
  return useMemo(() => ({
    ...status,
    upload(file, more) {
      const herald = connect(stable)
      const next = upload(herald, file, more)
      const end = next.subscribe(close)
      function close(): void {
        if (next.state !== 'done' && next.state !== 'cancelled') return // it may go on
        end()
        herald.close()
      }
      close()
      setLast(next)
      return next
    },
    pause: () => last?.pause(),
    resume: () => last?.resume(),
    cancel: () => void last?.cancel(),
  }), [stable, last, status])
}
