// What a process publishes when it ends because it has nothing left to do.

const references = new Set() // of the Reporters; weak, so that one that is not in use can be collected
const collected = new FinalizationRegistry((reference) => references.delete(reference))
let listening = false

// onExit calls finish with a Reporter when the process would end, as long as the Reporter is in use. finish must not refer to it.
export function onExit(reporter, finish) {
  const reference = new WeakRef(reporter)
  references.add(reference)
  collected.register(reporter, reference)
  if (listening) return
  listening = true
  process.on("beforeExit", () => {
    for (const reference of references) {
      const open = reference.deref()
      if (open) finish(open)
    }
  })
}
