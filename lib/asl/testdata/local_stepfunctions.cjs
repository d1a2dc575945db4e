// Runs state machines with the npm package aws-local-stepfunctions, for BenchmarkBesideLocalStepFunctions. The argument is the folder
// node_modules. Each line of the input is a request; the answer is a line with what was measured.
const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');
const { StateMachine } = createRequire(path.resolve(process.argv[2], 'x.js'))('aws-local-stepfunctions');

let machine;
const histories = [];

const milliseconds = (since) => Number(process.hrtime.bigint() - since) / 1e6;

async function answer({ load, input, record, measureMemory, executions = 1 }) {
  if (load) {
    const start = process.hrtime.bigint();
    machine = new StateMachine(load);
    return { milliseconds: milliseconds(start) };
  }
  if (measureMemory) {
    global.gc();
  }
  const before = process.memoryUsage().heapUsed;
  const start = process.hrtime.bigint();
  for (let i = 0; i < executions; i++) {
    const execution = machine.run(input);
    if (record) {
      const history = [];
      for await (const event of execution.eventLogs) {
        history.push(event);
      }
      if (measureMemory) {
        histories.push(history);
      }
    }
    await execution.result;
  }
  const result = { milliseconds: milliseconds(start) };
  if (measureMemory) {
    global.gc();
    result.bytes = process.memoryUsage().heapUsed - before;
    histories.length = 0;
  }
  return result;
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const result = await answer(JSON.parse(line)).catch((error) => ({ error: error.message }));
    process.stdout.write(JSON.stringify(result) + '\n');
  }
})();
