// Carries out S3 operations with the AWS SDK for JavaScript: one JSON request a line in, one JSON answer a line out.
// ../../s3clients_test.go drives it.
//
// usage: node js_driver.mjs NODE_MODULES ENDPOINT KEY SECRET

import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules, endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const sdk = load("@aws-sdk/client-s3");
const { Upload } = load("@aws-sdk/lib-storage");
const { createPresignedPost } = load("@aws-sdk/s3-presigned-post");
const { getSignedUrl } = load("@aws-sdk/s3-request-presigner");

const s3 = new sdk.S3Client({
  endpoint, region: "us-east-1", credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true, maxAttempts: 1,
});

async function call(operation, { File, ...parameters }, body) {
  switch (operation) {
    case "PresignGet":
      return { URL: await getSignedUrl(s3, new sdk.GetObjectCommand(parameters)) };
    case "PresignPut":
      return { URL: await getSignedUrl(s3, new sdk.PutObjectCommand(parameters)) };
    case "PresignPost":
      return await createPresignedPost(s3, parameters);
    case "Upload":
      return await new Upload({ client: s3, params: { ...parameters, Body: createReadStream(File) } }).done();
    case "Download": {
      const { Body } = await s3.send(new sdk.GetObjectCommand(parameters));
      await writeFile(File, Body);
      return {};
    }
  }
  if (body !== undefined) parameters.Body = body;
  if (parameters.CopySource) parameters.CopySource = parameters.CopySource.split("/").map(encodeURIComponent).join("/");
  return await s3.send(new sdk[`${operation}Command`](parameters));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { operation, parameters, body } = JSON.parse(line);
  let answer;
  try {
    const { $metadata, ...output } = await call(operation, parameters, body);
    answer = { ...output, Status: $metadata?.httpStatusCode ?? 200 };
    if (operation === "GetObject") answer.Body = await output.Body.transformToString();
  } catch (error) {
    answer = { Error: error.name, Status: error.$metadata?.httpStatusCode };
    if (!error.$metadata) answer.Error = `${error}`;
  }
  console.log(JSON.stringify(answer));
}
