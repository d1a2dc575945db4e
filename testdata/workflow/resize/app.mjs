// Makes the thumbnail of one picture. It reports its picture as one part of the job.

export async function handler({ job, picture, index }) {
  console.log("resize", picture);
  await notify(job, index, `Made the thumbnail of ${picture}`);
  return { picture, thumbnail: picture.replace(/\.jpg$/, "-small.jpg") };
}

/** Invokes the notifier. The parts of a job add up, however often and in which order they come. */
async function notify(job, index, text) {
  const request = {
    userId: job.userId, epoch: job.epoch, execution: job.execution,
    part: { id: String(index), done: 1, total: job.total, from: 10, to: 90 },
    message: { type: "upload_progress", data: { uploadId: job.jobId, fileName: job.jobId, phase: "resize", progress: 10, message: text } },
  };
  const name = process.env.NOTIFIER_FUNCTION_NAME;
  const lambda = await import("@aws-sdk/client-lambda").catch(() => undefined); // Lambda's own runtime has it.
  if (lambda) {
    await new lambda.LambdaClient().send(new lambda.InvokeCommand({ FunctionName: name, Payload: JSON.stringify(request) }));
    return;
  }
  await fetch(`${process.env.AWS_ENDPOINT_URL}/2015-03-31/functions/${name}/invocations`, { method: "POST", body: JSON.stringify(request) });
}
