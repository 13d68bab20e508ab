"""Random small templates from a grammar. What they print must not depend on addresses, the time or chance."""

INPUT = {"variables": {
    "a": 3, "b": -2, "c": 2.5, "s": "Hello, Wörld", "t": "  two\nlines ", "e": "", "no": None, "yes": True,
    "xs": [3, 1, 2], "ys": ["b", "A", "c"], "d": {"k": 1, "m": [1, 2], "z": "q"}, "rows": [{"n": "x", "v": 2}, {"n": "y", "v": 1}],
}}

NAMES = ["a", "b", "c", "s", "t", "e", "no", "yes", "xs", "ys", "d", "rows", "u"]
CONSTANTS = ["0", "1", "2", "-1", "7", "1.5", "0.1", "2.0", "''", "'x'", "'ab'", "' '", "'l'", "','", "true", "false", "none", "[]", "[1, 2]",
             "{}", "{'k': 2}", "(1,)", "()", "'%s'", "'a b c'", "'<&>'", "[none, 'x']", "'é'", "\"'\""]
# Leaves of each kind that Jinja knows when it compiles.
CONSTANT_LEAVES = {
    "num": ["0", "1", "2", "7", "1.5", "0.1", "(-3)", "(-2.0)"], "str": ["''", "'x'", "'ab'", "'a b c'", "'<&>'", "'é'", "'12'", "('<'|safe)"],
    "list": ["[]", "[1, 2]", "['b', 'a']", "(1, 2)", "[[1, 2], [3]]", "(1.5[1:],)"], "dict": ["{}", "{'k': 2}", "{1: 2, 'x': none}", "{'k': none[1:]}"],
    "bool": ["true", "false", "none", "[]", "1"], "any": CONSTANTS + ["1.5[1:]", "none[:]", "'ab'['x':]", "{'a': 1}[1:]", "('x' if false)", "{[]: 1}"],
}
ATTRIBUTES = ["k", "m", "z", "n", "v", "x", "items", "length"]
METHODS = [".upper()", ".lower()", ".strip()", ".split()", ".split(',')", ".title()", ".keys()|list", ".values()|list", ".items()|list", ".get('k')",
           ".get('zz', 1)", ".startswith('H')", ".endswith('x')", ".replace('l', 'L')", ".count(1)", ".index(1)", ".find('o')", ".rsplit(None, 1)",
           ".capitalize()", ".join(['a', 'b'])", ".isdigit()", ".format(1, 2)", ".splitlines()", ".lstrip('H')", ".zfill(5)", ".center(9)", ".isupper()"]
FILTERS = ["upper", "lower", "trim", "length", "list", "first", "last", "join", "join('-')", "join(',', attribute='n')", "sort", "sort(reverse=true)",
           "sort(attribute='v')", "reverse|list", "string", "int", "float", "int(5)", "abs", "round", "round(1)", "default('D')", "default('D', true)", "tojson",
           "tojson(indent=2)", "title", "capitalize", "replace('l', 'L')", "map('string')|list", "map('upper')|join", "map(attribute='n')|list",
           "select|list", "reject|list", "select('odd')|list", "selectattr('v')|list", "rejectattr('n', 'eq', 'x')|list", "unique|list", "min", "max", "sum",
           "items|list", "dictsort", "indent", "indent(2, true)", "wordcount", "batch(2)|list", "slice(2)|list", "e", "safe", "format(1)", "center(9)",
           "truncate(5, true, '.', 0)", "select('string')|list", "map('int')|list", "map('length')|list", "count", "groupby('n')", "sum(attribute='v')", "attr('k')",
           "map('default', 1)|list", "select('in', [1, 2])|list", "urlencode", "max(attribute='v')"]
TESTS = ["defined", "undefined", "none", "string", "number", "mapping", "sequence", "iterable", "odd", "even", "true", "false", "integer", "float",
         "boolean", "upper", "lower", "divisibleby(2)", "divisibleby 3", "eq 1", "in [1, 'x']", "sameas none", "gt 1", "lt(2)", "equalto 'x'", "ne a", "callable"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "~", "+", "**"]
LOOP = ["index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "depth"]


class Generator:
    def __init__(self, random, constants=False):
        self.random = random
        self.constants = constants  # most leaves are
        self.names = list(NAMES)
        self.loops = 0

    def pick(self, choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    # Mostly well-typed, since one error ends a template: "num", "str", "list", "dict" or "any".

    def expression(self, depth=0, kind=None):
        if kind is None:
            kind = self.pick(["num", "str", "str", "list", "list", "dict", "bool", "any"])
        if self.chance(0.02):
            kind = "any"
        if depth > 3 or self.chance(0.25):
            return self.leaf(kind)
        if kind == "any":
            return self.any_expression(depth)
        if self.chance(0.06):
            return (f"{self.expression(depth + 1, kind)} if {self.expression(depth + 1, 'bool')} else {self.expression(depth + 1, kind)}")
        if self.chance(0.05):
            return f"{self.operand(depth, kind)} {self.pick(['and', 'or'])} {self.operand(depth, kind)}"
        return getattr(self, kind)(depth)

    def leaf(self, kind):
        if self.constants and self.chance(0.8):
            return self.pick(CONSTANT_LEAVES[kind])
        choices = {
            "num": ["a", "b", "c", "0", "1", "2", "7", "1.5", "0.1", "2.0", "10", "-3"] + (["loop." + x for x in LOOP[:2] + LOOP[4:7]] if self.loops else []),
            "str": ["s", "t", "e", "''", "'x'", "'ab'", "' '", "'l'", "'a b c'", "'<&>'", "'é'", "'%s-%s'", "'{} {}'", "'Hello'", "\"'\"", "'1,2'", "'12'"],
            "list": ["xs", "ys", "[]", "[1, 2]", "['b', 'a']", "[2.5, 1]", "(1, 2)", "[[1, 2], [3]]", "['x', 'X']", "rows"],
            "dict": ["d", "{}", "{'k': 2}", "{'a': 'b', 'c': [1]}", "rows[0]", "{1: 2, 'x': none}"],
            "bool": ["yes", "no", "true", "false", "u is defined", "a", "e", "xs"] + (["loop.first", "loop.last"] if self.loops else []),
        }
        if kind == "any":
            return self.pick(self.names) if self.chance(0.65) else self.pick(CONSTANTS)
        return self.pick(choices[kind])

    def num(self, depth):
        return self.pick([
            lambda: f"{self.operand(depth, 'num')} {self.pick(['+', '-', '*', '+', '-', '*', '/', '//', '%'])} {self.operand(depth, 'num')}",
            lambda: f"{self.operand(depth, 'num')} ** {self.pick(['0', '1', '2', '3', '-1'])}",
            lambda: f"{self.operand(depth, 'num')}|{self.pick(['abs', 'int', 'float', 'round', 'round(1)', 'default(3)', 'round(2, ' + repr('ceil') + ')', 'round(-1)'])}",
            lambda: f"{self.operand(depth, self.pick(['str', 'list', 'dict']))}|{self.pick(['length', 'count'])}",
            lambda: f"{self.operand(depth, 'str')}|{self.pick(['int', 'float', 'int(5)', 'wordcount', 'int(base=16)'])}",
            lambda: f"{self.pick(['xs', '[1, 2.5]', 'range(4)'])}|{self.pick(['sum', 'min', 'max', 'first', 'last', 'sum(start=2)'])}",
            lambda: f"{self.operand(depth, 'str')}.{self.pick(['count', 'find', 'rfind'])}({self.operand(depth, 'str')}{self.pick(['', '', ', 1', ', -3, 9'])})",
            lambda: "-" + self.operand(depth, "num"),
            lambda: f"xs[{self.pick(['0', '-1', '1', 'a - 2'])}]",
            lambda: self.pick(["rows|sum(attribute='v')", "rows|map(attribute='v')|max", "d.k", "d['k']", "rows[0].v", "xs.index(1)", "xs.count(1)"]),
        ])()

    def str(self, depth):
        methods = ["upper()", "lower()", "strip()", "title()", "capitalize()", "swapcase()", "lstrip('H ')", "rstrip()", "replace('l', 'L')",
                   "replace(' ', '', 1)", "zfill(5)", "center(9)", "ljust(9, '.')", "rjust(9)", "removeprefix('H')", "removesuffix('x')", "expandtabs(3)", "casefold()"]
        filters = ["upper", "lower", "trim", "title", "capitalize", "replace('l', 'L')", "indent", "indent(2, true)", "indent(1, blank=true)", "e", "string",
                   "center(9)", "default('D', true)", "reverse", "truncate(5, true, '.', 0)", "truncate(9, false, '..', 1)", "urlencode", "tojson", "trim('H d')"]
        return self.pick([
            lambda: f"{self.operand(depth, 'str')}.{self.pick(methods)}",
            lambda: f"{self.operand(depth, 'str')}|{self.pick(filters)}",
            lambda: f"{self.operand(depth, 'str')} + {self.operand(depth, 'str')}",
            lambda: " ~ ".join(self.operand(depth, self.pick(["str", "num", "list", "dict", "bool"])) for _ in range(self.random.randint(2, 4))),
            lambda: f"{self.operand(depth, 'str')} * {self.pick(['0', '1', '2', '3', '-1'])}",
            lambda: f"{self.operand(depth, 'str')}[{self.pick(['1:', ':-1', '::-1', '::2', '-2:', ':2', '1:9:3', '5:1:-1'])}]",
            lambda: f"{self.operand(depth, 'list')}|{self.pick(['join', 'join(' + repr('-') + ')', 'string', 'tojson', 'tojson(indent=1)', 'map(' + repr('string') + ')|join(' + repr(',') + ')'])}",
            lambda: f"{self.operand(depth, 'dict')}|{self.pick(['tojson', 'tojson(indent=2)', 'string', 'join', 'tojson(ensure_ascii=true)', 'tojson(separators=(' + repr(',') + ', ' + repr(':') + '))'])}",
            lambda: f"{self.operand(depth, 'num')}|{self.pick(['string', 'tojson', 'upper', 'filesizeformat'])}",
            lambda: f"{self.operand(depth, 'str')}.join({self.pick(['ys', repr('abc'), '[s, t]', '[]', 'd'])})",
            lambda: f"{self.pick([repr('%s'), repr('%5s|'), repr('%-6s|'), repr('%r')])} % ({self.operand(depth, self.pick(['str', 'num', 'list']))},)",
            lambda: f"{self.pick([repr('%d'), repr('%5.2f'), repr('%e'), repr('%g'), repr('%03d'), repr('%+.1f')])} % {self.operand(depth, 'num')}",
            lambda: f"{self.pick([repr('{}'), repr('{!r}'), repr('{0}{0}')])}.format({self.expression(depth + 1)})",
            lambda: f"{self.pick([repr('{:>8}'), repr('{:+}'), repr('{:08.3f}'), repr('{:.2e}'), repr('{:g}'), repr('{:,}')])}.format({self.operand(depth, 'num')})",
            lambda: f"{self.operand(depth, 'str')}.{self.pick(['split()', 'rsplit(none, 1)', 'split(' + repr(' ') + ')', 'splitlines()', 'partition(' + repr('l') + ')'])}|{self.pick(['first', 'last', 'join(' + repr('+') + ')'])}",
            lambda: self.pick(["d.z", "d['z']", "rows[0].n", "rows|map(attribute='n')|join", "ys|first", "ys[1]", "xs|string"]),
        ])()

    def list(self, depth):
        filters = ["list", "sort", "sort(reverse=true)", "reverse|list", "unique|list", "map('string')|list", "select|list", "reject|list", "batch(2)|list",
                   "slice(2)|list", "batch(2, 'f')|list", "default([])", "map('default', 1)|list", "select('defined')|list", "select('number')|list",
                   "select('string')|list", "map('tojson')|list", "slice(3, 0)|list"]
        return self.pick([
            lambda: f"{self.operand(depth, 'list')}|{self.pick(filters)}",
            lambda: f"{self.operand(depth, 'str')}|list",
            lambda: f"{self.operand(depth, 'str')}.{self.pick(['split()', 'split(' + repr(',') + ')', 'rsplit(' + repr(' ') + ', 1)', 'splitlines(true)', 'partition(' + repr(' ') + ')', 'rpartition(' + repr('l') + ')'])}",
            lambda: f"{self.operand(depth, 'dict')}|{self.pick(['list', 'items|list', 'dictsort'])}",
            lambda: f"{self.operand(depth, 'dict')}.{self.pick(['keys()', 'values()', 'items()'])}" + self.pick(["|list", ""]),
            lambda: f"({self.operand(depth, 'list')}|list) + ({self.operand(depth, 'list')}|list)",
            lambda: f"({self.operand(depth, 'list')}|list)[{self.pick(['1:', ':-1', '::-1', '::2', '-2:', ':2', ':'])}]",
            lambda: f"range({self.pick(['3', '1, 4', '5, 0, -2', '0'])})" + self.pick(["", "|list"]),
            lambda: "[" + ", ".join(self.expression(depth + 1) for _ in range(self.random.randint(0, 3))) + "]",
            lambda: self.pick(["rows|map(attribute='n')|list", "rows|selectattr('v', 'gt', 1)|list", "rows|groupby('v')", "rows|sort(attribute='v')", "d.m",
                               "rows|rejectattr('n', 'eq', 'x')|map(attribute='v')|list", "ys|map('upper')|list", "xs|select('odd')|list", "ys|sort(case_sensitive=true)",
                               "xs|select('in', [1, 2])|list", "ys|map('replace', 'A', 'q')|list", "xs|map('float')|list", "rows|map('length')|list"]),
        ])()

    def dict(self, depth):
        return self.pick([
            lambda: "{" + ", ".join(f"{self.pick(CONSTANTS[:12])}: {self.expression(depth + 1)}" for _ in range(self.random.randint(0, 3))) + "}",
            lambda: f"dict({self.operand(depth, 'dict')}{self.pick(['', ', q=1'])})" if self.chance(0.3) else self.leaf("dict"),
            lambda: f"dict({self.pick(['a', 'zz'])}={self.expression(depth + 1)})",
            lambda: "rows|selectattr('n', 'eq', 'x')|first",
        ])()

    def bool(self, depth):
        return self.pick([
            lambda: f"{self.operand(depth, 'num')} {self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.operand(depth, 'num')}",
            lambda: f"{self.operand(depth, 'str')} {self.pick(['<', '==', '!=', '>=', 'in', 'not in'])} {self.operand(depth, 'str')}",
            lambda: f"{self.operand(depth)} {self.pick(['==', '!='])} {self.operand(depth)}",
            lambda: f"{self.operand(depth)} {self.pick(['in', 'not in'])} {self.operand(depth, 'list')}",
            lambda: f"{self.operand(depth, 'str')} {self.pick(['in', 'not in'])} {self.operand(depth, 'dict')}",
            lambda: f"{self.operand(depth)} is {self.pick(['', '', 'not '])}{self.pick(['defined', 'none', 'string', 'number', 'mapping', 'sequence', 'iterable', 'true', 'integer', 'float', 'boolean', 'undefined', 'callable', 'sameas none', 'eq 1'])}",
            lambda: f"{self.operand(depth, 'num')} is {self.pick(['odd', 'even', 'divisibleby 3', 'divisibleby(2)', 'gt 1', 'le(2)', 'in [1, 2]'])}",
            lambda: f"{self.operand(depth, 'str')}.{self.pick(['startswith(' + repr('H') + ')', 'endswith(' + repr('x') + ')', 'isdigit()', 'isalpha()', 'isupper()', 'isspace()', 'istitle()', 'startswith((' + repr('a') + ', ' + repr('H') + '))'])}",
            lambda: f"{self.operand(depth, 'str')} is {self.pick(['upper', 'lower', 'eq ' + repr('x'), 'in s'])}",
            lambda: "not " + self.operand(depth),
            lambda: f"{self.operand(depth, 'num')} < {self.operand(depth, 'num')} <= {self.operand(depth, 'num')}",
        ])()

    def any_expression(self, depth):
        r = self.random.random()
        if r < 0.2:
            return f"{self.operand(depth)}|{self.pick(FILTERS)}"
        if r < 0.3:
            return f"{self.operand(depth)} is {self.pick(['', '', 'not '])}{self.pick(TESTS)}"
        if r < 0.5:
            op = self.pick(BINARY)
            right = self.operand(depth) if op != "**" else self.pick(["0", "1", "2", "3", "-1", "0.5"] + (["a", "b"] if self.constants else []))
            return f"{self.operand(depth)} {op} {right}"
        if r < 0.6:
            return f"{self.operand(depth)}{self.pick(METHODS)}"
        if r < 0.7:
            return f"{self.operand(depth)}.{self.pick(ATTRIBUTES)}"
        if r < 0.85:
            return f"{self.operand(depth)}[{self.pick(['0', '-1', '1', repr(self.pick(ATTRIBUTES)), '5', 'a', '1:', ':-1', '::-1', '::2', '-2:', ':2'])}]"
        if r < 0.9:
            return f"{self.expression(depth + 1)} if {self.expression(depth + 1)}"
        return "loop." + self.pick(LOOP) if self.loops else self.leaf("any")

    def operand(self, depth, kind=None):
        text = self.expression(depth + 1, kind)
        simple = all(c.isalnum() or c in "_." for c in text) or text in CONSTANTS
        return text if simple and text[0] != "-" else f"({text})"

    def space(self):
        return self.pick(["", "", "", "\n", " ", "\n  ", "x", "é ", "  \n"])

    def tag(self, text):
        return "{%" + self.pick(["", "", "", "-", "+"]) + " " + text + " " + self.pick(["", "", "", "-", "+"]) + "%}"

    def output(self):
        return "{{" + self.pick(["", "", "", "-"]) + " " + self.expression() + " " + self.pick(["", "", "", "-"]) + "}}"

    def body(self, depth):
        return "".join(self.space() + self.statement(depth) for _ in range(self.random.randint(1, 3))) + self.space()

    def statement(self, depth=0):
        r = self.random.random()
        if depth > 2 or r < 0.5:
            return self.output()
        if r < 0.62:
            text = self.tag("if " + self.expression(1, "bool")) + self.body(depth + 1)
            if self.chance(0.3):
                text += self.tag("elif " + self.expression()) + self.body(depth + 1)
            if self.chance(0.5):
                text += self.tag("else") + self.body(depth + 1)
            return text + self.tag("endif")
        if r < 0.74:
            target = self.pick(["i", "x", "a", "i, j"])
            source = self.pick(["xs", "ys", "rows", "d.items()", "d", "s", "range(3)", self.expression(2, "list")]) if target != "i, j" else self.pick(["d.items()", "[[1, 2]]", "d|dictsort", "'ab'|list|slice(1)"])
            test = f" if {self.expression(2, 'bool')}" if self.chance(0.2) else ""
            self.loops += 1
            self.names += ["i", "x"]
            text = self.tag(f"for {target} in {source}{test}") + self.body(depth + 1)
            if self.chance(0.15):
                text += self.tag(f"if {self.expression(2)}") + self.tag(self.pick(["break", "continue"])) + self.tag("endif")
            self.loops -= 1
            if self.chance(0.25):
                text += self.tag("else") + self.body(depth + 1)
            return text + self.tag("endfor")
        if r < 0.86:
            name = self.pick(["a", "p", "q", "s", "xs"])
            self.names.append(name)
            if self.chance(0.2):
                return self.tag(f"set {name}" + self.pick(["", "|upper", "|trim"])) + self.body(depth + 1) + self.tag("endset")
            return self.tag(f"set {name} = {self.expression()}")
        if r < 0.90:
            name = self.pick(["ns", "ns2"])
            self.names.append(name + ".v")
            return (self.tag(f"set {name} = namespace(v={self.expression(2)})") + self.tag(f"for i in {self.pick(['xs', 'ys', 'range(2)'])}")
                    + self.tag(f"set {name}.v = {self.expression(1)}") + self.tag("endfor") + "{{ " + name + ".v }}")
        if r < 0.94:
            name = self.pick(["m1", "m2"])
            loops, self.loops = self.loops, 0
            body = self.body(depth + 1)
            self.loops = loops
            return (self.tag(f"macro {name}(p, q={self.expression(2)})") + body + self.tag("endmacro") + "{{ " + name + f"({self.expression(2)}) " + "}}")
        if r < 0.96:
            return self.tag(f"with p = {self.expression(1)}") + self.body(depth + 1) + self.tag("endwith")
        if r < 0.98:
            return self.tag(f"filter {self.pick(['upper', 'trim', 'indent(1)', 'length'])}") + self.body(depth + 1) + self.tag("endfilter")
        return self.pick(["{# c #}", "{#- c -#}", "{% raw %}{{ x }}{% endraw %}", "{%- raw -%} y {%- endraw %}\n"])

    def template(self):
        self.names = list(NAMES)
        self.loops = 0
        return "".join(self.space() + self.statement() for _ in range(self.random.randint(1, 4))) + self.space()
