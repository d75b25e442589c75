// Command promql_query asks made-up metrics what Prometheus would be asked, by its own engine.
// It reads JSON: series in the notation of `promtool test rules`, with a sample a minute, and expressions, each asked every
// minute of a span. It prints, for each expression, the labels of what was there all the time, and the text made of them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/template"
)

type question struct {
	Expression string `json:"expression"`
	Text       string `json:"text"`
	From       int    `json:"from"`
	To         int    `json:"to"`
}

type answer struct {
	Labels map[string]string `json:"labels"`
	Text   string            `json:"text"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var asked struct {
		Series    []string   `json:"series"`
		Questions []question `json:"questions"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	last := 0
	for _, one := range asked.Questions {
		last = max(last, one.To)
	}
	loader, err := promqltest.NewLazyLoader("load 1m\n  "+strings.Join(asked.Series, "\n  "), promqltest.LazyLoaderOpts{})
	if err != nil {
		return err
	}
	defer loader.Close()
	loader.WithSamplesTill(minute(last), func(failed error) { err = failed })
	if err != nil {
		return err
	}
	answers := make([][]answer, len(asked.Questions))
	for index, one := range asked.Questions {
		if answers[index], err = one.ask(ctx, loader); err != nil {
			return fmt.Errorf("%s: %w", one.Expression, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func (q question) ask(ctx context.Context, loader *promqltest.LazyLoader) ([]answer, error) {
	query, err := loader.QueryEngine().NewRangeQuery(
		ctx, loader.Queryable(), nil, q.Expression, minute(q.From), minute(q.To), time.Minute)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	matrix, err := query.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	there := []answer{}
	for _, series := range matrix {
		if len(series.Floats) < q.To-q.From+1 {
			continue
		}
		labels := series.Metric.Map()
		data := template.AlertTemplateData(labels, nil, "", promql.Sample{})
		text, err := template.NewTemplateExpander(
			ctx, "{{ $labels := .Labels }}"+q.Text, "text", data, model.Time(0), nil, nil, nil).Expand()
		if err != nil {
			return nil, err
		}
		there = append(there, answer{labels, text})
	}
	return there, nil
}

func minute(number int) time.Time {
	return time.Unix(0, 0).Add(time.Duration(number) * time.Minute)
}
