package jsonata_test

// suiteDifferences lists the cases of JSONata's test suite that give another result here, with the reason.
var suiteDifferences = map[string]string{}

// reportDifferences lists the expressions of public reports that give another result here, with the reason.
var reportDifferences = map[string]string{}
