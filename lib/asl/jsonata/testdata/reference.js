// Evaluates expressions with npm jsonata. Each line of the standard input is {"expr", "input"}; each answer is a line
// {"value"}, {"undefined": true}, {"function": true} or {"code", "message"}. A message without a code is a defect of jsonata.
// With "repeat", it evaluates the expression so many times, and the answer is {"microseconds"} of one evaluation.
const readline = require("node:readline");
const jsonata = require(process.argv[2] + "/jsonata");

async function answer(line) {
	const { expr, input, repeat } = JSON.parse(line);
	try {
		const compiled = jsonata(expr);
		if (repeat) {
			const start = process.hrtime.bigint();
			for (let i = 0; i < repeat; i++) await compiled.evaluate(input);
			return { microseconds: Number(process.hrtime.bigint() - start) / 1000 / repeat };
		}
		const value = await compiled.evaluate(input);
		if (value === undefined) return { undefined: true };
		const text = JSON.stringify(value, (key, v) => {
			if (typeof v === "function" || (v && (v._jsonata_lambda || v._jsonata_function))) throw { isFunction: true };
			return typeof v === "number" && !Number.isFinite(v) ? String(v) : v;
		});
		return { value: JSON.parse(text) };
	} catch (err) {
		if (err.isFunction) return { function: true };
		return { code: err.code, message: String(err.message) };
	}
}

(async () => {
	for await (const line of readline.createInterface({ input: process.stdin })) {
		process.stdout.write(JSON.stringify(await answer(line)) + "\n");
	}
})();
