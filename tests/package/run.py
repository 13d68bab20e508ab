#!/usr/bin/env python3
"""The Debian package in a bare Debian 12: installed, booted as a service with its hardening, asked, stopped, removed, purged.

Needs root, debootstrap, systemd-nspawn, a built package (`make deb`) and SmolLM2 (`tools/fetch_models.py smollm2`); what lacks is
named, and the test is then skipped (77). BARE: the folder of the system (made anew unless it exists; default a temporary one).
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = Path(os.environ.get("GALEN_MODELS") or Path(os.environ.get("GALEN_CACHE", Path.home() / ".cache/galen")) / "models")
MODEL = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
PORT = 21434
UNIT_LIMIT = 2.0  # of `systemd-analyze security`, as docs/DEPLOY.md says

# What comes and goes with dpkg, adduser and a boot, whoever is installed.
NOT_OURS = re.compile(r"/(var/lib/dpkg|var/cache|var/log|var/lib/systemd/(random-seed|catalog|timers|coredump|rfkill|linger|pstore)|tmp|root"
                      r"|run|dev|proc|sys)(/|$)|/etc/((passwd|group|shadow|gshadow|subuid|subgid)-|machine-id|\.pwd\.lock|\.updated)$"
                      r"|/var/(tmp/systemd-private|\.updated|lib/private)|/etc/(resolv.conf|localtime)$")


class Bare:
    """A Debian system in a folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        if not (self.folder / "etc").exists():
            self.shell(f'make_bare "{folder}" systemd,systemd-sysv')
        self.shell(f'mount_bare "{folder}"')
        policy = self.folder / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)

    def shell(self, script):
        subprocess.run(["sh", "-ec", f'. "{ROOT}/tools/bare_system.sh"; {script}'], check=True, stdout=sys.stderr)

    def run(self, command, code=0, user=None):
        """Runs a command line in it; its output."""
        if user:
            command = f"cd / && setpriv --reuid {user} --regid nogroup --clear-groups env HOME=/nonexistent sh -c '{command}'"
        script = 'in_bare "$1" "$2"'
        done = subprocess.run(["sh", "-ec", f'. "{ROOT}/tools/bare_system.sh"; {script}', "sh", str(self.folder), command], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=900)
        assert done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def apt(self, *packages):
        self.run("DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends " + " ".join(packages))

    def files(self):
        found = set()
        for at, folders, names in os.walk(self.folder):
            inner = "/" + os.path.relpath(at, self.folder)
            inner = "" if inner == "/." else inner
            folders[:] = [f for f in folders if not NOT_OURS.match(f"{inner}/{f}") and not os.path.ismount(f"{at}/{f}")]
            found |= {f"{inner}/{n}" for n in names + folders if not NOT_OURS.match(f"{inner}/{n}")}
        return found

    def close(self):
        self.shell(f'unmount_bare "{self.folder}"')


class Booted:
    """The system with its own systemd running."""

    def __init__(self, bare):
        bare.close()
        self.bare, self.log = bare, open(bare.folder.parent / (bare.folder.name + ".boot.log"), "w+")
        self.process = subprocess.Popen(["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--boot", "--resolv-conf=off", "--timezone=off",
                                         "--console=read-only", "-D", str(bare.folder)], stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL)
        self.leader = self.wait(self.find_leader, 30, "no systemd came up")
        self.wait(lambda: self.run("systemctl is-system-running", check=False).strip() in ("running", "degraded"), 120, "the boot does not end")

    def find_leader(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split() if children.exists() else ():
            inner = Path(f"/proc/{child}/task/{child}/children").read_text().split()
            for pid in [child, *inner]:
                if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    return int(pid)
        return None

    def wait(self, there, seconds, otherwise):
        end = time.time() + seconds
        while time.time() < end:
            found = there()
            if found:
                return found
            assert self.process.poll() is None, f"systemd-nspawn has ended, see {self.log.name}"
            time.sleep(0.2)
        raise AssertionError(otherwise)

    def run(self, command, check=True):
        done = subprocess.run(["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "--", "sh", "-c", command], capture_output=True,
                              text=True, timeout=300, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": ""})
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def close(self):
        if self.process.poll() is None:
            self.run("systemctl poweroff", check=False)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
        self.bare.shell(f'mount_bare "{self.bare.folder}"')


def ask(path, body=None, stream=None, key=None):
    """(status, body); `stream` is called for each line of a streamed answer."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=300)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    if stream is None:
        return answer.status, answer.read().decode()
    lines = []
    while line := answer.readline():
        lines.append(line.decode().strip())
        stream(lines[-1])
    return answer.status, lines


def question(text, tokens, stream=False):
    return {"model": "smollm2", "messages": [{"role": "user", "content": text}], "max_tokens": tokens, "temperature": 0, "stream": stream}


def ready():
    try:
        return ask("/health/ready")[0] == 200
    except OSError:
        return False


def check_first_use(bare):
    """A user without rights, in the root folder."""
    model = "/var/lib/galen-try/model.gguf"
    (bare.folder / "var/lib/galen-try").mkdir()
    shutil.copy(MODEL, bare.folder / model[1:])
    assert bare.run("galen --version", user="nobody").startswith("galen ")
    said = bare.run(f'galen run {model} "What is the main diagnosis? Answer in one sentence." '
                    "--file /usr/share/doc/galen/examples/notes/clinical_note.txt --max-tokens 40", user="nobody")
    assert "fibrillation" in said, said
    said = bare.run(f"galen extract /usr/share/doc/galen/examples/documents/lab_report.pdf --model {model} --max-tokens 60", user="nobody")
    result = json.loads(said[:said.rindex("}") + 1])
    assert result["kind"] == "lab_report" and result["values"], said[:500]
    shutil.rmtree(bare.folder / "var/lib/galen-try")
    for path in ("usr/share/man/man1/galen-run.1.gz", "usr/share/bash-completion/completions/galen", "usr/share/zsh/vendor-completions/_galen",
                 "usr/share/fish/vendor_completions.d/galen.fish", "usr/share/doc/galen/copyright", "usr/share/galen/configs/recipes/xray.json"):
        assert (bare.folder / path).exists(), f"{path} is not installed"


def check_service(bare):
    key = re.search(r"this once: (\S+)\n.*: *(\S+ sha256:\S+)", bare.run("galen serve --new-key ward3"))
    (bare.folder / "etc/galen/api-keys").write_text(key[2] + "\n")
    bare.run("chown root:galen /etc/galen/api-keys && chmod 0640 /etc/galen/api-keys")
    shutil.copy(MODEL, bare.folder / "var/lib/galen/models/smollm2.gguf")
    bare.run("chown root:galen /var/lib/galen/models/smollm2.gguf && chmod 0640 /var/lib/galen/models/smollm2.gguf")
    settings = bare.folder / "etc/galen/galen.env"
    settings.write_text('GALEN_MODELS=""\nGALEN_OPTIONS="--config /etc/galen/galen.yaml"\n')
    (bare.folder / "etc/galen/galen.yaml").write_text(
        f"models:\n  - smollm2=/var/lib/galen/models/smollm2.gguf\ncontext: 2048\nmax-sequences: 2\nport: {PORT}\n"
        "api-keys: /etc/galen/api-keys\naudit: /var/lib/galen/audit.jsonl\n")
    bare.run("systemctl enable galen.service")
    system = Booted(bare)
    try:
        system.wait(ready, 120, "the service does not become ready:\n" + system.run("systemctl status galen; journalctl -u galen", check=False))
        figure = float(re.search(r"Overall exposure level for galen.service: ([\d.]+)", system.run("systemd-analyze security galen --no-pager"))[1])
        assert figure <= UNIT_LIMIT, f"systemd-analyze security: {figure}"
        pid = system.run("systemctl show -P MainPID galen").strip()
        status = dict(line.split(":\t", 1) for line in system.run(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
        assert status["Uid"].split()[0] != "0" and int(status["CapBnd"], 16) == 0 and status["NoNewPrivs"] == "1", status
        assert status["Seccomp"] == "2", "no system call filter"

        assert ask("/v1/chat/completions", question("Hello", 4))[0] == 401
        code, body = ask("/v1/chat/completions", question("What is a fever?", 12), key=key[1])
        assert code == 200 and json.loads(body)["choices"][0]["message"]["content"], body

        # systemctl reload: a new key is taken.
        other = re.search(r"this once: (\S+)\n.*: *(\S+ sha256:\S+)", bare.run("galen serve --new-key ward4"))
        assert ask("/v1/chat/completions", question("Hello", 4), key=other[1])[0] == 401
        with (bare.folder / "etc/galen/api-keys").open("a") as file:
            file.write(other[2] + "\n")
        system.run("systemctl reload galen")
        system.wait(lambda: ask("/v1/chat/completions", question("Hello", 4), key=other[1])[0] == 200, 30, "reload took no new key")
        assert system.run("systemctl show -P MainPID galen").strip() == pid, "it was started anew"

        # Stopped in the middle of an answer: the answer is finished, nothing new begins.
        began, lines = threading.Event(), []
        client = threading.Thread(target=lambda: lines.extend(
            ask("/v1/chat/completions", question("Describe the human heart at length.", 150, True), lambda _: began.set(), key[1])[1]))
        client.start()
        assert began.wait(60), "no stream"
        stop = time.time()
        system.run("systemctl stop galen")
        client.join(60)
        seconds = time.time() - stop
        assert "data: [DONE]" in lines, f"the answer was cut off: {lines[-3:]}"
        assert system.run("systemctl show -P Result galen").strip() == "success"
        assert system.run("galen audit verify /var/lib/galen/audit.jsonl"), "no audit"
        log = system.run("journalctl -u galen --no-pager")
        assert "human heart" not in log and "heart" not in (bare.folder / "var/lib/galen/audit.jsonl").read_text(), "a prompt in the log"

        # The readers of PDF, children under limits, work under the same hardening.
        once = bare.folder / "etc/systemd/system/galen-once.service"
        unit = (bare.folder / "lib/systemd/system/galen.service").read_text().replace("Type=exec", "Type=oneshot").replace("Restart=on-failure", "")
        once.write_text(re.sub(r"(?m)^ExecStart=.*", "ExecStart=/usr/bin/galen extract /usr/share/doc/galen/examples/documents/lab_report.pdf "
                               "--model /var/lib/galen/models/smollm2.gguf --max-tokens 30 --out /var/lib/galen/once.json", unit))
        system.run("systemctl daemon-reload && systemctl start galen-once || { journalctl -u galen-once --no-pager; exit 1; }")
        once.unlink()
        assert json.loads((bare.folder / "var/lib/galen/once.json").read_text())["kind"] == "lab_report"
        print(f"service: exposure {figure}, drained in {seconds:.1f} s")
    finally:
        system.close()
    assert not (bare.folder / "var/lib/galen/audit.jsonl").stat().st_mode & 0o077, "others may read the audit record"


def check_nginx(bare):
    """The clinic's configuration as Debian's nginx reads it."""
    bare.apt("nginx-light", "openssl")
    bare.run("mkdir -p /etc/ssl/galen && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=galen.clinic.example "
             "-keyout /etc/ssl/galen/privkey.pem -out /etc/ssl/galen/fullchain.pem 2>/dev/null")
    shutil.copy(ROOT / "packaging/samples/clinic/nginx.conf", bare.folder / "etc/nginx/sites-enabled/galen")
    said = bare.run("nginx -t")
    assert "syntax is ok" in said and "warn" not in said, said
    (bare.folder / "etc/nginx/sites-enabled/galen").unlink()
    shutil.rmtree(bare.folder / "etc/ssl/galen")


def check_make_install():
    """`make install` into another prefix: the program runs from anywhere, the unit names that prefix."""
    with tempfile.TemporaryDirectory() as stage:
        subprocess.run(["cmake", "--install", str(ROOT / "build/release"), "--prefix", "/opt/galen"], check=True, capture_output=True,
                       env=os.environ | {"DESTDIR": stage})
        at = Path(stage) / "opt/galen"
        unit = (at / "lib/systemd/system/galen.service").read_text()
        assert "ExecStart=/opt/galen/bin/galen serve" in unit and "EnvironmentFile=/opt/galen/etc/galen/galen.env" in unit and "@" not in unit.replace(
            "@system-service", "").replace("@privileged", "").replace("@resources", ""), unit
        assert (at / "etc/galen/galen.env").exists() and (at / "share/man/man1/galen-serve.1").exists()
        (at / "etc/galen/galen.env").write_text("# mine\n")
        subprocess.run(["cmake", "--install", str(ROOT / "build/release"), "--prefix", "/opt/galen"], check=True, capture_output=True,
                       env=os.environ | {"DESTDIR": stage})
        assert (at / "etc/galen/galen.env").read_text() == "# mine\n", "a second install changed the settings"
        done = subprocess.run([str(at / "bin/galen"), "look", "--recipes"], cwd="/", capture_output=True, text=True, check=True)
        assert "xray" in done.stdout, done.stdout


def check(bare, deb):
    check_make_install()
    if shutil.which("lintian"):
        done = subprocess.run(["lintian", "--fail-on", "error", "--allow-root", str(deb)], capture_output=True, text=True, timeout=300)
        print(done.stdout.strip())
        assert done.returncode == 0, f"lintian: {done.stdout}"
    bare.run("apt-get update -q")
    check_nginx(bare)
    depends = subprocess.run(["dpkg-deb", "-f", str(deb), "Depends"], capture_output=True, text=True, check=True).stdout
    bare.apt(*(d.split("|")[0].split("(")[0].strip() for d in depends.split(",")))
    before = bare.files()
    shutil.copy(deb, bare.folder / "root/galen.deb")

    bare.run("dpkg -i /root/galen.deb")
    check_first_use(bare)
    assert bare.run("systemctl is-enabled galen.service", code=1).strip() == "disabled"
    bare.run("dpkg --purge galen")
    assert bare.files() == before, f"left behind without data: {sorted(bare.files() ^ before)}"
    bare.run("getent passwd galen", code=2)

    bare.run("dpkg -i /root/galen.deb")
    check_service(bare)
    settings = (bare.folder / "etc/galen/galen.env").read_text()
    bare.run("dpkg --force-confold -i /root/galen.deb")  # an upgrade
    assert (bare.folder / "etc/galen/galen.env").read_text() == settings, "an upgrade changed the settings"
    assert bare.run("systemctl is-enabled galen.service").strip() == "enabled"
    bare.run("dpkg -r galen")
    assert (bare.folder / "etc/galen/galen.env").exists() and not (bare.folder / "usr/bin/galen").exists()
    assert (bare.folder / "var/lib/galen/models/smollm2.gguf").exists()
    said = bare.run("dpkg --purge galen")
    assert "/var/lib/galen" in said, f"purge does not name the data that it leaves: {said}"
    left = bare.files() - before
    assert left and all(path.startswith("/var/lib/galen") for path in left), f"left behind: {sorted(left)}"
    bare.run("rm -r /var/lib/galen && deluser --system galen")
    assert bare.files() == before, f"left behind: {sorted(bare.files() ^ before)}"


def main():
    debs = sorted((ROOT / "build/deb").glob("galen_*.deb"))
    lacking = [what for what, there in (("root", os.geteuid() == 0), ("debootstrap", shutil.which("debootstrap")),
                                        ("systemd-nspawn", shutil.which("systemd-nspawn")), ("a package: make deb", debs),
                                        (f"{MODEL}: tools/fetch_models.py smollm2", MODEL.exists())) if not there]
    if lacking:
        print("skipped for want of", ", ".join(lacking))
        return 77
    temporary = None if "BARE" in os.environ else tempfile.mkdtemp(prefix="galen-bare-", dir="/var/tmp")
    bare = Bare(os.environ.get("BARE") or f"{temporary}/root")
    try:
        check(bare, debs[-1])
    finally:
        bare.close()
        if temporary and not any(os.path.ismount(bare.folder / name) for name in ("proc", "sys", "dev")):
            shutil.rmtree(temporary)
    print("package: installed, booted, asked, drained, removed, purged; nothing left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
