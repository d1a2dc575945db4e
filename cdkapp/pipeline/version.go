package pipeline

// Version is the version of Herald. .github/CHANGELOG.md says what is in it.
const Version = "0.2.0"

// description is the description of a stack.
const description = "Herald " + Version + ": progress of workflows to signed-in browsers"
