// Lets dynalite, an emulator of DynamoDB, go on when a client aborts a request, as the functions do with one that they no longer
// need. dynalite 4.0.0 throws the error of such a request where nothing catches it, which ends its process.
process.on('uncaughtException', (err) => {
  if (err.code !== 'ECONNRESET') throw err
})
