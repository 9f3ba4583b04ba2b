# Sourced by the findings: `in_venv PACKAGE==VERSION … < script.py` runs a script of Python with exactly these packages.
set -eu
in_venv() {
  if [ -n "${FINDINGS_VENV:-}" ]; then
    python="$FINDINGS_VENV/bin/python"
    for pin in "$@"; do
      found=$("$python" -c 'import sys; from importlib.metadata import version; print(version(sys.argv[1]))' "${pin%%==*}")
      [ "$found" = "${pin##*==}" ] || { echo "$(basename "$0"): FINDINGS_VENV has ${pin%%==*} $found, not ${pin##*==}" >&2; exit 2; }
    done
    "$python" -
  else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2
    (cd "$folder" && venv/bin/python -)
  fi
}
