// Virtual time for a Reporter. Times are in milliseconds.

// FakeClock moves only when the test says so. It counts in whole microseconds.
export class FakeClock {
  #now = 0
  #timers = new Set()
  #start = Date.UTC(2000, 0, 1)

  now = () => this.#now / 1000
  date = () => new Date(this.#start + Math.floor(this.#now / 1000))

  setTimeout = (run, after) => {
    const timer = { run, at: this.#now + Math.max(Math.round(after * 1000), 1) }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout = (timer) => {
    this.#timers.delete(timer)
  }

  // advance runs the timers up to a time, or until done is true.
  async advance(to, done = () => false) {
    const end = Math.round(to * 1000)
    await settle()
    while (!done()) {
      let next
      for (const timer of this.#timers) if (timer.at <= end && (!next || timer.at < next.at)) next = timer
      if (!next) {
        this.#now = Math.max(this.#now, end)
        return
      }
      this.#now = Math.max(this.#now, next.at)
      this.#timers.delete(next)
      next.run()
      await settle()
    }
  }

  // freeze lets time pass at once, as for a process that was stopped.
  async freeze(ms) {
    this.#now += Math.round(ms * 1000)
    await this.advance(this.now())
  }

  // wait waits for a promise, and lets time pass meanwhile.
  async wait(promise) {
    let ended = false
    const end = () => (ended = true)
    promise.then(end, end)
    await this.advance(this.now() + 60_000, () => ended)
    return promise
  }
}

// settle lets everything run that does not wait for time.
export const settle = () => new Promise((resolve) => setImmediate(resolve))
