// A client of the Lambda Runtime API, for machines without aws-lambda-ric. Start it with the handler: runtime.mjs app.handler

import http from "node:http"; // fetch gives up a request after five minutes without an answer.

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function call(method, path, value) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: "/2018-06-01/runtime" + path }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => (body += text)).on("end", () => resolve({ headers: response.headers, body }));
    });
    request.on("error", reject).end(value === undefined ? undefined : JSON.stringify(value));
  });
}

const failure = (error) => ({ errorType: error.name, errorMessage: error.message, trace: String(error.stack).split("\n") });

let handler;
try {
  const [file, name] = process.argv[2].split(".");
  handler = (await import(new URL(`${file}.mjs`, import.meta.url)))[name];
} catch (error) {
  await call("POST", "/init/error", failure(error));
  throw error;
}

for (;;) {
  const { headers, body } = await call("GET", "/invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const result = await handler(JSON.parse(body), { awsRequestId: id, functionName: process.env.AWS_LAMBDA_FUNCTION_NAME });
    await call("POST", `/invocation/${id}/response`, result ?? null);
  } catch (error) {
    await call("POST", `/invocation/${id}/error`, failure(error));
  }
}
