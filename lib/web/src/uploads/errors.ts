/** Why an upload failed. */
export class UploadError extends Error {
  /** A code of the server's error frame, or NETWORK, STORE (the file's store refuses it), FILE_CHANGED. */
  declare readonly code: string

  constructor(code: string, message: string) {
    super(message)
    Object.assign(this, { code })
  }
}
