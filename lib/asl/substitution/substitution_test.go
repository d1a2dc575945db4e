package substitution_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl/substitution"
)

func TestFillReplacesEachPlaceholder(t *testing.T) {
	const definition = `{"a":"${One}/${AWS::Region}","b":"${One}","c":"$one {One} ${not a name}"}`
	if diff := cmp.Diff([]string{"AWS::Region", "One"}, substitution.Names(definition)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	got, err := substitution.Fill(definition, map[string]string{"One": "a\"b\\c<${AWS::Region}>", "AWS::Region": "eu", "Unused": "x"})
	if want := `{"a":"a\"b\\c<${AWS::Region}>/eu","b":"a\"b\\c<${AWS::Region}>","c":"$one {One} ${not a name}"}`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestFillNamesWhatIsMissing(t *testing.T) {
	_, err := substitution.Fill(`"${B} ${A} ${C}"`, map[string]string{"C": "c", "D": "d"})
	if want := "no substitution for ${A}, ${B}; there are C, D"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}
