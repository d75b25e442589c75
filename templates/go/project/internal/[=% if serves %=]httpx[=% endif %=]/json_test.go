package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

func TestAnswersAreWrittenAsHumaWritesThem(t *testing.T) {
	values := []any{
		map[string]string{"url": "https://example.com/?a=1&b=<2>"}, []float64{1, 1.5, 1e21}, nil, "\u2028",
		strings.Repeat("more than is kept ", maxSharedBuffer/8),
	}
	var clients sync.WaitGroup
	for _, value := range values {
		clients.Go(func() {
			for range 20 {
				var got, want bytes.Buffer
				if err := errors.Join(encode(&got, value), huma.DefaultJSONFormat.Marshal(&want, value)); err != nil {
					t.Error(err)
				}
				if got.String() != want.String() {
					t.Errorf("got %.80q, want %.80q", got.String(), want.String())
				}
			}
		})
	}
	clients.Wait()
	if err := encode(io.Discard, func() {}); err == nil {
		t.Error("a function is no JSON")
	}
}

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
