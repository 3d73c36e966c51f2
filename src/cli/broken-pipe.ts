/** Ends this process without a word when the reader of its output has gone, as `head` has once it has its lines. */
export function endWithReader(stdout: NodeJS.WriteStream = process.stdout): void {
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
}
