package httpx

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

func TestOnlyJSONIsWrittenAsJSON(t *testing.T) {
	other := huma.Format{Marshal: func(w io.Writer, _ any) error {
		_, err := io.WriteString(w, "something else")
		return err
	}}
	var got strings.Builder
	err := jsonFormats(map[string]huma.Format{"application/cbor": other})["application/cbor"].Marshal(&got, 1)
	if err != nil || got.String() != "something else" {
		t.Fatalf("got %q, %v", got.String(), err)
	}
}

func TestWholeNumbersAreIntegersHoweverTheyAreWritten(t *testing.T) {
	unmarshal := wholeNumbers(json.Unmarshal)
	for body, want := range map[string]int64{
		`{"n": 344}`: 344, `{"n": 344.0}`: 344, `{"n": 3.44e2}`: 344, `{"n": -0.0}`: 0,
		`{"n": 9007199254740993}`: 9007199254740993,
	} {
		var got struct {
			N int64 `json:"n"`
		}
		if err := unmarshal([]byte(body), &got); err != nil || got.N != want {
			t.Errorf("%s: got %d, %v; want %d", body, got.N, err, want)
		}
	}
	for _, body := range []string{`{"n": 344.5}`, `{"n": 1e400}`, `{"n": 1e30}`, `{"n": "344.0"}`, `{"n": 344.0} {}`, `{"n": tru}`} {
		var got struct {
			N int64 `json:"n"`
		}
		if err := unmarshal([]byte(body), &got); err == nil {
			t.Errorf("%s: took it for %d", body, got.N)
		}
	}
}
