#!/bin/sh
# Applies the migrations with the image and the settings that were applied last, and fails if they fail:
#   sh deploy/kustomize/migrate.sh <namespace>
set -eu
namespace=${1:?name the namespace}
job=migrate-$(date -u +%Y%m%d-%H%M%S)

kubectl --namespace "$namespace" create job "$job" --from=cronjob/migrate
# One of the two comes: a Job gives up after some attempts, and at its activeDeadlineSeconds at the latest.
while :; do
  state=$(kubectl --namespace "$namespace" get job "$job" \
    --output=jsonpath='{.status.conditions[?(@.status=="True")].type}')
  case $state in
    *Complete*) failed=false && break ;;
    *Failed*) failed=true && break ;;
  esac
  sleep 2
done
kubectl --namespace "$namespace" logs --selector="batch.kubernetes.io/job-name=$job" --tail=-1 --prefix || true
if $failed; then
  echo "The migrations have failed. The new pods stay unready, and the old ones go on answering." >&2
  exit 1
fi
