"""Cases of the template language itself: (template, name of the input) pairs, by hand, plus a sample of the random ones."""
import random

import random_templates

MESSAGES = [{"role": "user", "content": "hi"}]
DATA = {"variables": {
    "n": 7, "z": 0, "neg": -3, "f": 2.5, "big": 9007199254740993, "t": True, "no": None, "s": "Hello World", "e": "",
    "u": "Zürich ß ǆ 👩🏽‍⚕️ Σ", "ws": " \t a  b\n c \u00a0", "l": [3, 1, 2], "ls": ["b", "A", "c", "a"], "el": [], "mixed": [1, "a", None, 2.5, True, [1], {"k": "v"}],
    "d": {"b": 1, "a": {"x": [1, 2]}, "C": None, "items": "own"}, "rows": [{"n": "x", "v": 2, "g": "p"}, {"n": "Y", "v": 1, "g": "q"}, {"n": "z", "v": 3, "g": "P"}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": [{"v": 3}]}, {"v": 4}]}, {"v": 5}], "html": "<b>&'\"</b>", "long": "the quick brown fox jumps over the lazy dog " * 8,
}}

PRINTED = r"""
n|z|neg|f|big|t|no|s|l|mixed|d|rows|undefined_name|1.0|1e16|1e15|1e-5|1e-4|123456789.123|1e22|5e-324|-0.0|1e400|'a'|"it's"|'"'|"a\nb\t\\\x41\u00e9\U0001F600\101\q"|u|[u, html]
1 + 2 * 3 - 4 / 2|7 // 2|-7 // 2|7 % -3|-7 % 3|7.5 // 2|-7.5 % 2|2 ** 10|2 ** -1|2 ** 0.5|-2 ** 2|2 ** 3 ** 2|n + t|t + t|1 / 3|10 / 5|1e308 * 10|n / z|n % z|n // 0.0|'a' + 1|'a' + 'b'|l + [9]|(1, 2) + (3,)|l + (1,)|'ab' * 3|3 * 'ab'|[1] * 3|'ab' * -1|(1,) * 2|-n|+n|-t|-s|not n|not z|s ~ n ~ no ~ t ~ f ~ undefined_name|9223372036854775807 + 1|4611686018427387904 * 2|2 ** 64
1 < 2 < 3|1 < 3 < 2|1 == 1.0 == true|'a' < 'b'|'Z' < 'a'|[1, 2] < [1, 3]|[1, 'a'] < [1, 2]|1 < 'a'|no < 1|no == none|undefined_name == undefined_other|l == [3, 1, 2]|(1,) == [1]|{'a': 1} == {'a': 1.0}|{'a': 1, 'b': 2} == {'b': 2, 'a': 1}|s == 'Hello World'|n != 7|n >= 7|big == 9007199254740992.0|'' < undefined_name
'ell' in s|'x' in s|'' in s|1 in l|'1' in l|1.0 in l|'b' in d|'zz' in d|'a' not in ls|1 in s|undefined_name in l|'a' in undefined_name|'a' in no|2 in range(3)|2.5 in range(3)|[1] in [[1]]|none in mixed|'k' in mixed[6]|l in d
n and s|z and s|z or s|e or no or 'x'|n or undefined_name.x|z and undefined_name.x|not (n and z)|t if n else f|'y' if z|('y' if z) is undefined|'a' if z else 'b' if n else 'c'|1 if undefined_name else 2
l[0]|l[-1]|l[5]|l['0']|l.0|l[-9]|s[0]|s[-1]|s[99]|u[1]|u[8]|d['b']|d.b|d['zz']|d.zz|d.zz.y|d.items|d['items']|d.keys|d.a.x[1]|d['a']['x'][-1]|no.x|no['x']|n.x|n[0]|s.zz|l.zz|l['append']|l.append|l.append(1)|d.update({'a': 1})|d.pop('b')|s.__class__|s['__class__']|s.__class__.x|range.__name__|undefined_name|undefined_name.x|undefined_name['x']|undefined_name()|s()|d['b']()|d[l]|d[1, 2]|mixed[true]
l[:]|l[1:]|l[:-1]|l[::2]|l[::-1]|l[5:]|l[-2:]|l[2:0:-1]|l[:0]|s[1:4]|s[::-1]|s[-5:]|s[10:2:-2]|u[::-1]|u[2:9:3]|u[-3:]|l[::0]|l['a':]|l[no:no]|(1, 2, 3)[1:]|range(10)[2:8:2]|range(10)[::-1]|d[1:]|no[1:]|undefined_name[1:]|'abc'[1:][0]|l[99999999999:]|l[::99999999999]|l[-99999999999:]
[]|()|(1,)|(1, 2)|[1, [2, (3,)]]|{}|{'a': 1, 2: 'b', none: true, 1.5: []}|{'a': 1, 'a': 2}|{1: 'a', true: 'b', 1.0: 'c'}|{[]: 1}|{(1, 2): 3}[(1, 2)]|1,|1, 2|[1, 2,]|{'a': 1,}
s.upper()|s.lower()|s.title()|s.capitalize()|s.swapcase()|u.upper()|u.lower()|u.title()|u.capitalize()|u.swapcase()|u.casefold()|ws.strip()|ws.lstrip()|ws.rstrip()|s.strip('Hd')|s.lstrip('Hel')|s.rstrip('dlro')|u.strip('ZΣ ')|s.strip(no)|s.strip(1)|'xxaxx'.strip('x')|''.strip()
ws.split()|ws.split(no, 1)|ws.rsplit(no, 1)|ws.rsplit()|'a,b,,c'.split(',')|'a,b,,c'.split(',', 1)|'a,b,,c'.rsplit(',', 1)|'a,b,,c'.split(sep=',', maxsplit=2)|'abc'.split('')|''.split()|''.split(',')|'aaaa'.split('aa')|'aaaa'.rsplit('aa')|'aaa'.rsplit('aa')|'a\nb\r\nc\rd\x0be\u2028f'.splitlines()|'a\nb\n'.splitlines()|'a\nb\n'.splitlines(true)|'a\nb'.splitlines(keepends=true)|s.split('o')[0]|s.split('</think>')[-1].lstrip('\n')
s.startswith('Hell')|s.startswith(('x', 'H'))|s.startswith('World', 6)|s.startswith(['H'])|s.endswith('ld')|s.endswith(('x', 'd'))|s.endswith('Hello', 0, 5)|''.startswith('')|s.startswith('', 99)|s.startswith('H', -11)|s.find('o')|s.find('o', 5)|s.find('zz')|s.rfind('o')|s.rfind('o', 0, 5)|s.index('W')|s.index('zz')|s.rindex('o')|u.find('ß')|u.find('')|s.count('l')|s.count('')|s.count('l', 4)|u.count('')|'aaaa'.count('aa')|'abc'.find('', 3)|'abc'.find('', 4)|s.find(1)
s.replace('l', 'L')|s.replace('l', 'L', 1)|s.replace('', '-')|s.replace('', '-', 2)|u.replace('', '.')|s.replace('o', '')|s.replace('zz', 'y')|s.replace('l', 1)|s.replace(old='l', new='x')|', '.join(ls)|''.join([])|','.join(s)|','.join(l)|','.join(d)|s.join(['a'])|s.partition(' ')|s.partition('zz')|s.rpartition('o')|s.removeprefix('Hello ')|s.removesuffix('World')|s.center(20, '*')|s.center(16)|'ab'.center(5)|'abc'.center(6, '-')|s.ljust(13, '.')|s.rjust(13)|'42'.zfill(5)|'-42'.zfill(5)|'+'.zfill(3)|'a\tb'.expandtabs()|'a\tbc\td'.expandtabs(4)|s.center(5)|s.encode()
'abc'.isalpha()|'ab1'.isalnum()|'12'.isdigit()|'²'.isdigit()|'²'.isdecimal()|'½'.isnumeric()|''.isdigit()|' \n'.isspace()|'Ab Cd'.istitle()|'ABC'.isupper()|'aBc'.islower()|'123'.islower()|'a_1'.isidentifier()|'1a'.isidentifier()|'ß'.isupper()|'é'.isascii()|'a\nb'.isprintable()|'ab'.isprintable()
'{} {}'.format(1, 'a')|'{0} {1} {0}'.format(1, 2)|'{a} {b!r}'.format(a=1, b='x')|'{:>6}|{:<6}|{:^6}'.format('a', 'b', 'c')|'{:*^9}'.format('mid')|'{:05d} {:+d} {:x} {:#x} {:b} {:,}'.format(42, 42, 255, 255, 5, 1234567)|'{:.2f} {:e} {:g} {:%} {:.3}'.format(3.14159, 12345.678, 0.0001, 0.25, 2.71828)|'{:10.3f}|{:<10}|{:010.2f}'.format(3.14159, 2.5, -3.14159)|'{{}}'.format()|'{'.format()|'{} {}'.format(1)|'{0.x}'.format(1)|'{0[b]} {0[a][x]}'.format(d)|'{:{}}'.format('a', 5)|'{:d}'.format('a')|'{:s}'.format(1)|'{!z}'.format(1)|'{} {0}'.format(1)|'{}'.format(no)|'{:>5}'.format(no)|'{}'.format(l)|'{:.2}'.format('abcdef')|'{:é>4}'.format('a')|'{a}'.format_map({'a': 1})|'{:_}'.format(1234567)|'{:c}'.format(65)|'{: d}'.format(5)|'{:5}|'.format(true)|'{}'.format(true)
'%s %d %i' % ('a', 3, 4.9)|'%05.1f|%-6s|%6s|%+d' % (2.25, 'ab', 'cd', 5)|'%x %X %o %#x' % (255, 255, 8, 255)|'%r %s' % ('a', 'a')|'%%'|'%%' % ()|'%s' % l|'%s' % (l,)|'%s %s' % (1,)|'%s' % (1, 2)|'%d' % 'a'|'%(b)s %(C)s' % d|'%(zz)s' % d|'%c%c' % (65, 'b')|'%.2s' % 'abc'|'%*d' % (5, 3)|'%e %g %G' % (12345.678, 1e-10, 1e20)|'%s' % no|'%5s|' % no|'%q' % 1|'%' % 1|'a' % 1|'a' % [1]|'a' % {}|'%s' % undefined_name|'%.3f' % 1|'%d' % 1e10|'%s' % 1.0|'% d' % 5|'%03d' % -5|'%-05d|' % 5
s|upper|lower
""".strip("\n")

FILTERS = r"""
s|upper ;; s|lower ;; u|upper ;; s|title ;; 'a-b (c) {d} [e] <f> g_h i.j'|title ;; 'ǆ ß'|title ;; s|capitalize ;; ws|trim ;; s|trim('Hd') ;; no|trim ;; n|upper ;; s|replace('l', 'L') ;; s|replace('l', 'L', 2) ;; n|replace(7, 8) ;; s|replace('', '-') ;; s|center(15) ;; 'x'|center ;; s|length ;; l|length ;; d|count ;; n|length ;; no|length ;; undefined_name|length ;; range(5)|length
s|list ;; d|list ;; l|list ;; n|list ;; undefined_name|list ;; l|first ;; el|first ;; s|first ;; d|first ;; l|last ;; el|last ;; s|last ;; d|last ;; undefined_name|first ;; undefined_name|last ;; n|first ;; (l|map('string'))|last ;; l|reverse|list ;; s|reverse ;; u|reverse ;; d|reverse|list ;; (1, 2)|reverse|list ;; n|reverse ;; (l|map('string'))|reverse
l|join ;; l|join(', ') ;; mixed|join('|') ;; rows|join(', ', attribute='n') ;; s|join('-') ;; d|join(',') ;; undefined_name|join ;; n|join ;; no|join ;; l|join(1) ;; rows|join(d='+', attribute='v') ;; el|join(',')
l|sort ;; ls|sort ;; ls|sort(case_sensitive=true) ;; ls|sort(true) ;; ls|sort(reverse=true) ;; mixed|sort ;; rows|sort(attribute='v')|map(attribute='n')|list ;; rows|sort(attribute='n')|map(attribute='n')|join ;; rows|sort(attribute='g,v', reverse=true)|map(attribute='n')|join ;; s|sort|join ;; d|sort ;; [none, none]|sort ;; [(1, 'b'), (1, 'a')]|sort ;; undefined_name|sort ;; [1, 2.5, true]|sort ;; rows|sort
d|dictsort ;; d|dictsort(true) ;; {'b': 2, 'a': 1}|dictsort(by='value') ;; {'b': 2, 'a': 1}|dictsort(reverse=true) ;; l|dictsort ;; undefined_name|dictsort ;; {1: 2, 'a': 3}|dictsort ;; d|dictsort(by='x') ;; d|items|list ;; undefined_name|items|list ;; l|items|list ;; d|items
ls|unique|list ;; [1, 1.0, true, 'a', 'A']|unique|list ;; ls|unique(true)|list ;; rows|unique(attribute='g')|map(attribute='n')|list ;; [[1], [1]]|unique|list ;; l|min ;; l|max ;; ls|min ;; ls|max(case_sensitive=true) ;; rows|max(attribute='v') ;; el|min ;; [1, 'a']|max ;; l|sum ;; rows|sum(attribute='v') ;; rows|sum('v', 10) ;; el|sum ;; [[1], [2]]|sum(start=[]) ;; ls|sum ;; [1.5, 2]|sum ;; rows|sum('n')
l|map('string')|list ;; ls|map('upper')|list ;; rows|map(attribute='n')|list ;; rows|map(attribute='zz')|list ;; rows|map(attribute='zz', default='-')|list ;; rows|map(attribute='n.0')|list ;; ls|map('replace', 'a', 'X')|list ;; ls|map('nope')|list ;; l|map|list ;; ls|map('default', 'x')|list ;; ls|map(filter='upper')|list ;; undefined_name|map('upper')|list ;; n|map('upper')|list ;; z|map('upper')|list ;; ls|map('nope') is defined ;; rows|map('attr', 'n')|list ;; ls|map('length')|sum ;; [[1, 2], [3]]|map('join', '-')|list ;; [['a', 1]]|map(attribute=0)|list ;; ls|map('indent', 2, true)|list
l|select('odd')|list ;; l|reject('odd')|list ;; l|select('gt', 1)|list ;; mixed|select|list ;; mixed|reject|list ;; mixed|select('string')|list ;; mixed|select('number')|list ;; l|select('nope')|list ;; l|select('in', [1, 2])|list ;; rows|selectattr('n')|map(attribute='n')|list ;; rows|selectattr('v', 'gt', 1)|map(attribute='n')|list ;; rows|selectattr('g', 'equalto', 'p')|list ;; rows|rejectattr('g', 'eq', 'p')|map(attribute='n')|join ;; rows|selectattr('zz', 'defined')|list ;; rows|selectattr('zz', 'undefined')|list|length ;; rows|selectattr|list ;; rows|selectattr('n', 'in', ['x', 'z'])|list|length ;; l|select('divisibleby', 3)|list ;; l|select('==', 3)|list ;; undefined_name|select|list ;; rows|selectattr('a.b')|list
rows|groupby('g') ;; rows|groupby('g', case_sensitive=true)|list ;; rows|groupby('zz', default='-') ;; (rows|groupby('v')|first).grouper ;; (rows|groupby('v')|first).list ;; l|batch(2)|list ;; l|batch(2, 'x')|list ;; s|batch(4)|map('join')|list ;; [1, 2, 3, 4, 5]|slice(2)|list ;; [1, 2, 3, 4, 5]|slice(3, 'x')|list ;; l|slice(0)|list ;; l|batch(0)|list ;; el|batch(2)|list ;; l|slice(5)|list
n|abs ;; neg|abs ;; f|abs ;; s|abs ;; undefined_name|abs ;; '42'|int ;; ' 42 '|int ;; '4x'|int ;; '4x'|int(-1) ;; '42.9'|int ;; f|int ;; neg|int ;; no|int ;; l|int ;; undefined_name|int ;; 'ff'|int(base=16) ;; '0xff'|int(0, 16) ;; '0b101'|int(0, 0) ;; '1_000'|int ;; '_1'|int ;; t|int ;; 1e300|int ;; '1e3'|int ;; 'inf'|int ;; 1e400|int ;; '99999999999999999999'|int ;; '3.5'|float ;; 'x'|float ;; 'x'|float(1.5) ;; n|float ;; 'inf'|float ;; '-nan'|float ;; ' 1e3 '|float ;; '1_0.5'|float ;; no|float ;; undefined_name|float ;; '0x1'|float ;; '.5'|float ;; '5.'|float ;; '+3'|float
2.5|round ;; 3.5|round ;; -2.5|round ;; 2.675|round(2) ;; 1234.5678|round(-2) ;; 1234|round ;; 1250|round(-2) ;; 1350|round(-2) ;; 2.1|round(method='ceil') ;; 2.9|round(0, 'floor') ;; 2.123|round(2, 'ceil') ;; 7|round(1, 'floor') ;; t|round ;; s|round ;; undefined_name|round ;; 2.5|round(method='x') ;; 0.5|round|int ;; 1e20|round ;; 5.015|round(2) ;; -0.4|round ;; 15|round(-1) ;; 25.0|round(-1)
no|default('x') ;; undefined_name|default('x') ;; undefined_name|d ;; e|default('x') ;; e|default('x', true) ;; z|default(5, boolean=true) ;; d.zz|default(d.b) ;; undefined_name|default(default_value='q') ;; d.zz.y|default('x') ;; n|default ;; d|attr('b') ;; d|attr('items') ;; s|attr('upper') ;; s|attr('zz') ;; n|string ;; n|string ~ 1 ;; l|string|length ;; no|string ;; undefined_name|string|length ;; u|string
d|tojson ;; mixed|tojson ;; u|tojson ;; html|tojson ;; 'a"\\\n\t\x08\x0c\x00\x7f/'|tojson ;; f|tojson ;; 1e16|tojson ;; 1e400|tojson ;; (1, 2)|tojson ;; {1: 2, none: 3, true: 4, 1.5: 5}|tojson ;; {(1, 2): 3}|tojson ;; undefined_name|tojson ;; d|tojson(indent=2) ;; d|tojson(indent=0) ;; d|tojson(4) ;; u|tojson(true) ;; u|tojson(ensure_ascii=true) ;; d|tojson(indent='--') ;; d|tojson(separators=(',', ':')) ;; d|tojson(sort_keys=true) ;; []|tojson(indent=2) ;; {}|tojson(indent=2) ;; [[], {}, [1]]|tojson(indent=1) ;; range(3)|tojson ;; d.items()|tojson ;; mixed|tojson(indent=4, separators=(', ', ' : ')) ;; l|map('string')|tojson ;; namespace(a=1)|tojson ;; '\U0001F600'|tojson(true) ;; -0.0|tojson ;; big|tojson ;; d|tojson(indent=true) ;; d|tojson(indent=-1) ;; [1]|tojson(indent=f)
html|escape ;; html|e|e ;; html|forceescape ;; html|safe ;; (html|safe)|e ;; (html|safe) + '<' ;; '<' + (html|safe) ;; (html|e)|upper ;; [html|safe] ;; (html|safe) is escaped ;; html is escaped ;; (html|safe) ~ '<' ;; (html|safe)|string is escaped ;; n|e ;; (html|safe).upper() is escaped ;; ('<%s>'|safe) % '<' ;; [html|e]|join('<') ;; (html|safe)|length
'a\nb\n\nc'|indent ;; 'a\nb\n\nc'|indent(2, true) ;; 'a\nb\n\nc'|indent(2, blank=true) ;; 'a\nb'|indent('>> ', first=true) ;; 'a\n'|indent ;; ''|indent ;; n|indent ;; undefined_name|indent ;; 'a\r\nb'|indent(1) ;; 'a\nb'|indent(width=0) ;; 'a\nb'|indent(-1) ;; long|truncate(20) ;; long|truncate(20, true) ;; long|truncate(20, true, '…') ;; s|truncate(8) ;; s|truncate(5, leeway=0) ;; s|truncate(2) ;; long|length ;; long|wordcount ;; u|wordcount ;; "a-b c_d 'e' 1.5"|wordcount ;; s|truncate(11)
'%s-%s'|format(1, 2) ;; '%(a)s'|format(a=3) ;; '%s'|format ;; '%s'|format(1, a=2) ;; s|urlencode ;; 'a/b?c=d&é'|urlencode ;; {'a b': 'c/d', 'é': 1}|urlencode ;; [('a', 1)]|urlencode ;; n|urlencode ;; 1|filesizeformat ;; 999|filesizeformat ;; 1000|filesizeformat ;; 1234567|filesizeformat ;; 1234567|filesizeformat(true) ;; '12'|filesizeformat ;; 1e30|filesizeformat ;; s|nope ;; s|upper|nope if z else 1 ;; 1 if n else s|nope ;; s|string.x
n is odd ;; n is even ;; n is divisibleby 7 ;; n is divisibleby(2) ;; f is odd ;; s is odd ;; neg is odd ;; undefined_name is defined ;; undefined_name is undefined ;; d.zz is defined ;; d.b is defined ;; no is none ;; no is defined ;; n is number ;; t is number ;; t is integer ;; n is integer ;; f is float ;; n is float ;; t is boolean ;; n is boolean ;; t is true ;; n is true ;; false is false ;; z is false ;; s is string ;; n is string ;; d is mapping ;; l is mapping ;; l is sequence ;; s is sequence ;; d is sequence ;; n is sequence ;; range(3) is sequence ;; d.items() is sequence ;; undefined_name is sequence ;; (l|map('string')) is sequence ;; l is iterable ;; s is iterable ;; n is iterable ;; d is iterable ;; undefined_name is iterable ;; (l|map('string')) is iterable ;; namespace() is iterable ;; namespace() is mapping ;; range is callable ;; s is callable ;; s.upper is callable ;; undefined_name is callable ;; namespace is callable ;; namespace() is callable
n is eq 7 ;; n is equalto(7) ;; n is ne 7 ;; n is gt 5 ;; n is ge 7 ;; n is lt(3) ;; n is le 7 ;; n is greaterthan 3 ;; n is lessthan 3 ;; n is in [7] ;; n is not in [7] ;; s is in 'x' ;; 'H' is in s ;; no is sameas none ;; n is sameas 7 ;; l is sameas l ;; [] is sameas [] ;; s is lower ;; s is upper ;; 'abc' is lower ;; 'ABC' is upper ;; n is not none ;; not n is none ;; n is defined and s is string ;; n is not defined or s ;; 'upper' is filter ;; 'nope' is filter ;; 'odd' is test ;; 'nope' is test ;; n is nope ;; n is nope if z else 1 ;; n is odd is even ;; n is divisibleby z ;; (n is odd) == true ;; n is odd ~ 'x' ;; 1 if n is odd else 2
""".strip("\n")

STATEMENTS = r"""
{% for x in l %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}
{% for x in l %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}
{% for x in el %}{{ x }}{% else %}empty{% endfor %}|{% for x in l %}{{ x }}{% else %}empty{% endfor %}
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}else{% endfor %}
{% for x in l %}{% break %}{% else %}else{% endfor %}|{% for x in l %}{% continue %}{% else %}else{% endfor %}|{% for x in l %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% else %}else{% endfor %}
{% for x in l if x > 1 %}{{ loop.index }}{{ loop.last }}{{ loop.length }}{{ x }}{% endfor %}|{% for x in l if x > 9 %}{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for k in d.keys() %}{{ k }}{% endfor %}{% for v in d.values() %}{{ v }}{% endfor %}
{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}-{{ b }} {% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for a, b in [1] %}{{ a }}{% endfor %}
{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for c in u %}{{ c }}.{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}{% for i in range(0) %}{% endfor %}
{% for x in n %}{% endfor %}
{% for x in undefined_name %}x{% else %}nothing{% endfor %}
{% for x in no %}x{% endfor %}
{% for x in 1, 2, 3 %}{{ x }}{% endfor %}{% for x in [1, 2] + [3] %}{{ x }}{% endfor %}
{% for x in l recursive %}{{ x }}{% endfor %}
{%- for node in tree recursive %}{{ loop.depth }}{{ node.v }}{% if node.c %}({{ loop(node.c) }}){% endif %}{% endfor %}
{% for x in l %}{{ loop([1]) }}{% endfor %}
{% for x in l %}{% for y in ls %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}
{% for x in l %}{% set outer = loop %}{% for y in ls %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for x in l %}{{ x }}{% endfor %}{{ x }}{{ loop }}
{% set x = 5 %}{% for x in l %}{{ x }}{% endfor %}{{ x }}
{% set x = 5 %}{% for y in l %}{% set x = y %}{{ x }}{% endfor %}{{ x }}
{% for y in l %}{{ q }}{% set q = y %}{{ q }}{% endfor %}
{% set ns = namespace(x=1, y=[]) %}{% for i in l %}{% set ns.x = ns.x + i %}{% set ns.y = ns.y + [i] %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns }}{{ ns.zz }}{{ ns['x'] }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{% set ns.c = ns.a %}{{ ns.c }}{{ ns.items }}
{% set ns = namespace(_x=1) %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set l.x = 1 %}
{% set zz.x = 1 %}
{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (a, b) = 'xy' %}{{ a }}{{ b }}
{% set a, b = 1 %}
{% set a = 1, %}{{ a }}{% set a = 1, 2 %}{{ a }}
{% set x %}a{{ n }}b{% endset %}{{ x }}{{ x|length }}|{% set y | upper | replace('A', 'z') %}a{{ n }}b{% endset %}{{ y }}
{% set x %}{% set inner = 1 %}{{ inner }}{% endset %}{{ x }}{{ inner }}
{% if z %}a{% elif n == 7 %}b{% else %}c{% endif %}{% if z %}a{% elif z %}b{% else %}c{% endif %}{% if z %}a{% endif %}{% if n, z %}t{% endif %}{% if el %}e{% endif %}{% if undefined_name %}u{% endif %}{% if no %}n{% endif %}{% if e %}s{% endif %}{% if f %}f{% endif %}{% if ' ' %}sp{% endif %}
{% if n %}{% set inside = 1 %}{% endif %}{{ inside }}{% if z %}{% set never = 1 %}{% endif %}{{ never }}{{ never is defined }}
{% if z %}{% set n = 9 %}{% endif %}{{ n }}{% for i in [1] %}{{ n }}{% endfor %}
{% for i in [1] %}{{ n }}{% endfor %}{% set n = 9 %}{{ n }}
{% for i in [1] %}{{ n }}{% endfor %}{% if z %}{% set n = 9 %}{% endif %}{{ n }}
{% macro m(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(a=5, c=6) }} {{ m() }} {{ m(1, c=9, b=8) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, z=2) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m() }}
{% macro m(a) %}{{ caller(a) }}|{{ caller('z') }}{% endmacro %}{% call(x) m(5) %}[{{ x }}]{% endcall %}
{% macro m() %}{{ caller() if caller }}{% endmacro %}{{ m() }}|{% call m() %}x{{ n }}{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro fact(k) %}{{ k if k <= 1 else k * fact(k - 1)|int }}{% endmacro %}{{ fact(5) }}
{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{{ n }}{% endmacro %}{{ a() }}
{{ early() }}{% macro early() %}x{% endmacro %}
{% macro m() %}{{ later }}{% endmacro %}{% set later = 3 %}{{ m() }}
{% macro m() %}{% set n = 3 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}
{% macro m(x) %}{% for i in range(x) %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% endfor %}{% endmacro %}{{ m(5) }}{{ m(1)|length }}{{ m }}{{ m.name }}{{ m(2) is string }}
{% macro m(x, y='d') %}{{ x|upper }}{{ y }}{% endmacro %}{{ m(*['a', 'b']) }}{{ m(**{'x': 'q'}) }}{{ m('a', *['z']) }}{{ m(*[1], **{'x': 2}) }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ [1, 2]|map('string')|map('upper')|join }}{{ m(m(m('i'))) }}
{% macro type(spec) %}{% if spec.type == 'array' %}{{ type(spec['items']) }}[]{% elif spec.enum is defined %}{% for v in spec.enum %}"{{ v }}"{% if not loop.last %} | {% endif %}{% endfor %}{% else %}{{ spec.type }}{% endif %}{% endmacro %}{{ type({'type': 'array', 'items': {'type': 'array', 'items': {'enum': ['a', 'b']}}}) }}
{% with a = 1, b = n %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a }}{{ c }}{% with %}{{ n }}{% endwith %}
{% with n = 1, m = n %}{{ n }}{{ m }}{% endwith %}{{ n }}
{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b')|upper %}aaa{% endfilter %}{% filter indent(2) %}a
b{% endfilter %}
{% filter length %}abc{% endfilter %}
{% filter upper %}{% set ff = 1 %}{{ ff }}{% endfilter %}{{ ff }}
{% print n, s %}{% print n %}
{% raw %}{{ n }} {% if %} {# #}{% endraw %}|{%- raw -%} {{ x }} {%- endraw -%} |{% raw %}{% endraw %}
{# comment #}a{#- x -#} b {#+ y +#} c {# {{ n }} {% if %} #}
a {{- n -}} b {{ n -}} c {{- n }} d
a {%- if n -%} b {%- endif -%} c
  {% if n %}
  x
  {% endif %}
y
  {%+ if n %}
  x
  {%- endif +%}
y
{% if n +%}
x
{%- endif %}

z
line1
    {{ n }}
    {% set q = 1 %}   tail
    {# c #}
end

a{% if n %}
{% endif %}
b

{%- set x = 1 %}

{{- x }}

{{ x -}}

end
{% for i in l -%}
  {{ i }}
{%- endfor %}
{% for i in l %}
  {{ i }}
{% endfor %}
{{ '{{' }}{{ "{% x %}" }}{{ '}}' }}{{ {'a': {'b': 1}}['a']['b'] }}{{{'a': 1}}}
{{ 'a' 'b' "c" }}{{ 'x'
}}{{ n
+
1 }}
{% generation %}abc{% endgeneration %}x{% for m in messages %}{% if m.role == 'user' %}{% generation %}{{ m.content }}é{% set gg = 1 %}{% endgeneration %}{{ gg }}{% endif %}{% endfor %}
{% set x %}{% generation %}q{% endgeneration %}{% endset %}[{{ x }}]
{% for i in l %}{% generation %}{{ i }}{{ loop.index }}{% endgeneration %};{% endfor %}
{{ raise_exception('bad ' ~ n) }}
{{ raise_exception() }}
{% if z %}{{ raise_exception('x') }}{% endif %}ok
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %a %A %j %p %I %y %% %-d') }}
{{ strftime_now('%d %B %Y') if strftime_now is defined else 'no' }}
{{ date_string is defined }}{{ messages[0]['role'] }}{{ messages|length }}{{ tools }}{{ documents }}{{ add_generation_prompt }}{{ bos_token is defined }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}
{% set j = joiner('|') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}{% set k = joiner() %}{{ k() }}{{ k() }}
{{ dict(a=1, b=2) }}{{ dict([('x', 1)], y=2) }}{{ dict(d).b }}{{ dict() }}{{ dict(1) }}
{{ range(3) }}{{ range(1, 4)|list }}{{ range(10, 0, -3)|list }}{{ range(3)[1] }}{{ range(2, 9).stop }}{{ range(0, 6, 2) }}
{{ range(100001) }}
{{ range() }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{% set g = l|map('string') %}{{ g|list }}{{ g|list }}{% set h = l|map('string') %}{{ h|first }}{{ h|list }}
{% set g = l|select('odd') %}{% for x in g %}{{ x }}{{ loop.last }}{% endfor %}{% for x in g %}{{ x }}{% else %}gone{% endfor %}
{% set g = ls|map('nope') %}ok
{% set it = d.items() %}{% for k, v in it %}{{ k }}{% endfor %}{% for k, v in it %}{{ k }}{% endfor %}{{ it|length }}{{ d.keys() }}{{ d.values() }}{{ d.items()|list|length }}
{{ d.get('b') }}{{ d.get('zz') }}{{ d.get('zz', 'x') }}{{ d.get() }}
{{ d.get('b', default=1) }}
{{ l.index(1) }}{{ l.count(3) }}{{ (1, 2, 1).count(1) }}{{ (1, 2).index(2) }}{{ l.copy() }}{{ d.copy().b }}{{ l.index(99) }}
{{ s.upper }}
{{ s.upper() ~ s.lower()[0:3] ~ (s ~ 'x').upper() }}
{% include 'x' %}
{% extends 'x' %}
{% do l.append(1) %}
{% nope %}
{% endif %}
{% if n %}
{% if n %}{% endfor %}
{% for x in l %}
{{ n
{{ n }
{% if n }}
{{ n %}
{{ }}
{% %}
{{ (n }}
{{ n) }}
{{ [n) }}
{{ 'abc }}
{{ n ! }}
{{ n | }}
{{ n | 1 }}
{{ n. }}
{{ n[ }}
{{ n.1x }}
{{ 1a }}
{{ 0x1F }}{{ 0b11 }}{{ 0o17 }}{{ 1_000 }}{{ 1_0.5e1_0 }}{{ 00 }}
{{ 012 }}
{{ 99999999999999999999 }}
{{ n if }}
{{ not }}
{{ 1 in }}
{{ {1} }}
{{ f(a=1, 2) }}
{{ f(**a, *b) }}
{{ f(a=1, a=2) }}
{{ n is }}
{{ n is not }}
{% set %}
{% set x %}
{% set 1 = 2 %}
{% set x = %}
{% set none = 1 %}
{% for 1 in l %}{% endfor %}
{% for loop in l %}{% endfor %}
{% for x in l %}{% set loop = 1 %}{% endfor %}
{% for x in %}{% endfor %}
{% for x l %}{% endfor %}
{% macro %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m(a, a) %}{% endmacro %}
{% macro m(caller) %}{{ caller() }}{% endmacro %}
{% call n %}{% endcall %}
{% break %}
{% if n %}{% continue %}{% endif %}
{% for x in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% for x in l %}{% set y %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endset %}{{ y }}{% endfor %}
{# unclosed
{% raw %} unclosed
{% block b %}{% endblock %}
{{ "\x4" }}
{{ 'a'|upper() }}{{ 'a'|upper(1) }}
{{ "a" if n else }}
{{ n ? 1 : 2 }}
{{ n && s }}
{{ !n }}
{{ n == }}
{{ == n }}
{{ a.b.c }}
{{ messages[5].content }}
{{ messages[5]['content'] + 'x' }}
{{ messages[0].content.nope() }}
{{ messages[0]['content'] | nope2 }}
{{ 'x' ~ undefined_name ~ 'y' }}{{ 'x' + undefined_name }}
{{ undefined_name + 'x' }}
{{ undefined_name * 2 }}
{{ -undefined_name }}
{{ undefined_name > 1 }}
{{ [undefined_name] }}{{ {'a': undefined_name} }}{{ undefined_name|length }}{{ undefined_name == '' }}{{ undefined_name is none }}{{ undefined_name in [1] }}{{ not undefined_name }}
{{ lipsum is defined }}{{ range is defined }}{{ true }}{{ True }}{{ false }}{{ None }}{{ none }}
{%- if messages[0]['role'] == 'system' -%}{%- set sm = messages[0]['content'] -%}{%- else -%}{%- set sm = '' -%}{%- endif -%}[{{ sm }}]
{{- "a" }}
{{ "b" -}}
c
{{ s|replace("\n", "\\n") }}{{ 'x\ny' }}{{ "tab\there" }}
{{ ('a', 'b')|join }}{{ ('a',)|first }}{{ (n)|abs }}{{ -n|abs }}{{ n|abs + 1 }}{{ 'a' ~ 'b'|upper }}{{ n + 1|float }}{{ 2 * 3|string }}
{{ n.__class__ }}{{ n|attr('__class__') }}{{ ''.__class__.__mro__ }}
{{ [].__class__ }}{{ d.__len__ }}x
{% for k, v in d|items %}{{ k }}{{ v }}{% endfor %}{% for k, v in d|dictsort %}{{ k }};{% endfor %}
{%- macro render_extra(o, skip=[]) -%}{%- for k in o if k not in skip -%}<{{ k }}>{{ o[k]|tojson|safe if o[k] is mapping else o[k]|string }}</{{ k }}>{%- endfor -%}{%- endmacro -%}{{ render_extra(d, ['b']) }}
{% set ns = namespace(last=none, multi=false) %}{% for m in rows[::-1] %}{% set idx = (rows|length - 1) - loop.index0 %}{% if ns.last is none and m.v == 1 %}{% set ns.last = idx %}{% endif %}{% endfor %}{{ ns.last }}
"""

# What Jinja computes when it compiles, and methods of strings that are marked as safe.
COMPILED = r"""
{{ 1.5[1:] }}|{{ [1.5[1:]] }}|{{ (1.5[1:])|default('x') }}
{{ n ~ (1.5[1:]|default('x')) }}
{% set x = 1.5[1:]|default('x') %}{{ x }}
{% set x = 1.5[1:] %}{{ x }}
{% set x = [1.5[1:]] %}{{ x }}
{% set x = [1.5[1:]]|length %}{{ x }}
{{ (1.5[1:]) if true else undefined_name }}|{{ (true or n) ~ 1.5[1:] }}|{{ false and n }}
{{ 'abc'['x':] }}|{{ {1: 2}[1:] }}|{{ none[:] }}|{{ 'abc'[1.5['x']:] }}
{{ 'abc'[::0] }}
{{ 'abc'['x'::0] }}
{{ n ~ 'abc'['x':] }}
{{ 'abc'[1:] ~ n }}{{ n ~ 'abc'[::-1] }}
{{ ('a' if false) ~ 1.5[1:] }}
{{ ('a' if true) ~ 1.5[1:] }}
{{ n ~ ((1.5[1:]) is undefined) }}
{% if 1.5[1:] %}a{% else %}b{% endif %}
{% if 1.5[1:] is defined %}a{% else %}b{% endif %}
{% if not 1.5[1:] %}a{% else %}b{% endif %}
{% for x in 1.5[1:] %}a{% endfor %}
{% for x in 1.5[1:]|list %}a{% else %}b{% endfor %}
{% for x in l if 1.5[1:]|default(true) %}{{ x }}{% endfor %}
{% macro m(a=1.5[1:]|default('z')) %}{{ a }}{% endmacro %}{{ m() }}{{ m(none[1:]|d(3)) }}{{ m(a=none[1:]|d(4)) }}
{% filter indent(1.5[1:]|default(3), true) %}a{% endfilter %}
{% set q | replace('a', 1.5[1:]|default('z')) %}aaa{% endset %}{{ q }}
{% with p = 1.5[1:]|default('x') %}{{ p }}{% endwith %}
{% if false %}{{ n ~ {[]: 1} }}{% endif %}ok
{% if false %}{{ {[]: 1} }}{% endif %}ok
{% if false %}{{ {[]: 1}|length }}{% endif %}ok
{% if false %}{{ true or {[]: 1}|length }}{% endif %}ok
{% if false %}{% set x = true or {[]: 1}|length %}{% endif %}ok
{% if false %}{% set x = [{[]: 1}] %}{% endif %}ok
{% if false %}{% set x = {[]: 1} %}{% endif %}ok
{% if false %}{% set x = n + {[]: 1, n: 2} %}{% endif %}ok
{% if false %}{% set x = n + {n: 1, []: 2} %}{% endif %}ok
{% set x = 1e400 %}{{ x }}
{{ 1e400 }}|{{ 1e308 * 10 }}|{{ 1e400 ~ 'x' }}|{{ 1e400 > 1 }}
{{ 1e400 ~ n }}
{{ n if n else 1e400 }}
{{ [1e308 * 10, n] }}
{{ n > 1e400 }}
{{ (-2) ** n }}|{{ (-2) ** 2 }}|{{ -2 ** n }}|{{ (-neg) ** 2 }}|{{ (1 - 3) ** z }}|{{ (-2) ** z }}|{{ (-2.0) ** z }}|{{ (0 - 0.0) ** n }}|{{ (-0.0) ** z }}|{{ n ** (-2) }}
{{ ((-2) ** n) ** 2 }}|{{ 2 * (-2) ** z }}|{{ ((-2) ** n)|string ~ 'x' }}
{{ true or (1|nosuch) }}|{{ 'a' if true else 'b'|nosuch }}
{{ n or (1|nosuch) }}
{% set x = true or (1|nosuch) %}{{ x }}
{% set x = [true or (1|nosuch)] %}{{ x }}
{% macro m() %}{{ true or caller() }}{% endmacro %}{% call m() %}x{% endcall %}
{% macro m() %}{{ true or kwargs }}{% endmacro %}{{ m(a=1) }}
{% for x in l %}{{ true or loop.index }}{{ x }}{% endfor %}
{% set x = [1, 'a', {'b': (2, none)}] + [1.5] %}{{ x }}{{ x is sameas x }}
{% set ns = namespace(p=none) %}{% for i in l %}{% set y = [] + [] %}{{ y is sameas ns.p }}{% set ns.p = y %}{% endfor %}
{% set ns = namespace(p=none) %}{% for i in l %}{% set y = [] %}{{ y is sameas ns.p }}{% set ns.p = y %}{% endfor %}
{{ [[1, 2], [1, 3]]|groupby(0) }}|{% set g = [[1, 2], [1, 3]]|groupby(0) %}{{ g }}{{ g[0].grouper }}
{% set b = [1, 2, 3]|batch(2) %}{{ b|list }}{{ b|list }}{{ [1, 2, 3]|batch(2)|list }}
{% for i in [1, 2] %}{{ [1, 2]|batch(1)|list }}{% endfor %}
{{ ('<'|safe) ~ '<' ~ n }}|{{ (('<'|safe) + '<') ~ n }}|{{ n ~ ('<'|e) }}|{% set x = '<'|e %}{{ x + '<' }}
{{ n|default(1.5[1:]) }}|{{ undefined_name|default(none[1:]|default('k')) }}
{{ undefined_name|default(none[1:]) }}
{{ l[none[1:]|default(1):] }}|{{ l['abc'['x':]|length:] }}
{{ 1 < 2 < n }}|{{ 2 < 1 < n }}|{{ (2 < 1 < n) ~ none[1:] }}
{{ {'a': none[1:]} }}|{{ {'a': none[1:]}|length ~ n }}|{{ {'a': none[1:]}.a|default('u') ~ n }}
{{ [1, 2]|map('string')|list }}|{{ 'ab'|map('upper')|join ~ none[1:] }}
{{ [1, 2]|first ~ none[1:] }}
{{ 'abc'|upper|replace(*['A', 'x']) }}|{{ 1.26|round(**{'precision': 1}) ~ none[1:]}}
{{ 1.256|round(precision=1, **{'precision': 2}) }}
{{ n ~ 1.256|round(precision=1, **{'precision': 2}) }}
{{ 1.256|round(*n) ~ none[1:] }}
{{ '%s' % (none[1:],) }}|{{ n ~ '%s' % (none[1:],) }}
{{ (none[1:]).x }}
{{ none[1:] + 1 }}
{{ -none[1:] }}
{{ (1 if none[1:] else 2) ~ n }}
{{ (none[1:] or 'f') ~ n }}{{ (none[1:] and n) ~ n }}
{{ n ~ (none[1:] and n) }}
{{ none[1:] == none[1:] }}{{ n ~ (none[1:] == none[1:]) }}
{% set x = none[1:] == none[1:] %}{{ x }}
{% print none[1:], n ~ none[1:]|length %}
{{ (1, 2) }}{{ () }}{{ [()] }}{% set x = ('a',) %}{{ x }}{% set y = (('a',),)|list %}{{ y }}
{% if 'x' in ('x', 'y')|list and n %}in{% endif %}{% for k, v in {'a': 1, 'b': [2]}|dictsort %}{{ k }}{{ v }}{% endfor %}
{{ 1 / 0 }}
{% if false %}{{ 1 / 0 }}{{ n ~ 1 / 0 }}{% endif %}ok
{{ n is divisibleby(7 if true else 0) }}{{ 'a'|default(none[1:])|upper ~ n }}
{{ l|sort(reverse=none[1:]|default(true)) }}{{ l|map('default', none[1:]|default(1))|list }}{{ [none[1:]|default(2)]|map('string')|list }}
{% call(x=none[1:]|default('c')) m2() %}{{ x }}{% endcall %}
{% macro m2() %}{{ caller() }}{% endmacro %}{% call(x=none[1:]|default('c')) m2() %}{{ x }}{% endcall %}
{{ '1e400'|float ~ n }}|{% set x = '1e400'|float %}{{ x }}
{% set x = ['nan'|float] %}{{ x }}
{{ ['nan'|float] }}{{ 'nan'|float }}
{{ ['<a b'|safe|title, '<a b'|safe|upper, '<a b c d e f'|safe|truncate(7, true, '<'), ('<a b c d e f'|safe|truncate(8)), '<a b c d e f'|truncate(7, true, '<'|safe)] }}
{% set m = '<a,b c>\n-5\td'|safe %}{{ [m[0], m[-1], m[1:3], m.split(), m.split(','), m.rsplit(none, 1), m.splitlines(), m.splitlines(true), m.partition(','), m.rpartition('zz')] }}
{% set m = '<a,b c>'|safe %}{{ [m.center(20), m.center(11, '-'), m.ljust(9, '.'), m.rjust(9), m.zfill(12), m.expandtabs(), m.join(['<', 1, none, '&'|safe]), m.replace('a', '<'), m.replace('a', 5), m.replace('q', '<')] }}
{% set m = '<a,b c>'|safe %}{{ m.center(20, '<') }}
{% set m = '<a,b c>'|safe %}{{ [m.strip('<'), m.lower(), m.upper(), m.title(), m.capitalize(), m.swapcase(), m.casefold(), m.removeprefix('<'), m.removesuffix('>'), m.removeprefix('x')] }}
{% set m = '<é,b c>'|safe %}{{ [m[1], m[::2], m * 2, m + '<', '<' + m, m % (), '<%s>' % m, m|first, m|last, m|list, m|reverse, m|trim, m|trim('<'), m|center(12), m|string, m|indent(2, true), m|join, [m, m]|join('<'), m|replace('b', '<'), m|urlencode, m|default('x'), m|format, m|lower, m|capitalize, m ~ '<', m|max, [m]|min] }}
{{ [', '.join(['<'|safe, '&']), '{}<'.format('<'|safe), ('{}<'|safe).format('<'), 'a'.replace('a', '<'|safe), ('a'|safe).join('xyz'), ('<'|safe).join(n)] }}
{{ [('{}<'|safe).format('<'), 'a'.replace('a', '<'|safe), ('a'|safe).join('x<z'), ('<'|safe).join(d)] }}
{{ ('<%s-%r-%d>'|safe) % ('<', '<', 4) }}{{ [('<%s>'|safe) % '<', ('%s'|safe)|format('<')] }}
{{ ['<a b c d e f'|safe|truncate(7, true, '<', 0), ('<a b c d e f'|safe|truncate(8, leeway=0)), '<a b c d e f'|truncate(7, true, '<'|safe, 0), 'a b c d'|truncate(4, false, '..', 0)] }}
{{ ('{0}<{0!r}{0!s}{1}{1!s}{2}'|safe).format('<', '<'|safe, 5) }}|{{ '{}'.format('<'|safe) }}|{{ '{:>4}'.format('<'|safe) }}|{{ ('{:<>4}'|safe).format('a') }}|{{ ('{:{}}'|safe).format(5, 8) }}
{{ ('{:>4}'|safe).format('a'|safe) }}
{{ ('{a}'|safe).format_map({'a': '<'}) }}|{{ ('%(a)s'|safe) % {'a': '<'} }}|{{ ('%r'|safe) % none }}
{{ ('{}'|safe).format(undefined_name) }}{{ ('{}'|safe).format(none) }}{{ ('{}'|safe).format(['<']) }}
{{ '{:,}'.format('x') }}
{{ range(1, 9, 3).count(4) }}{{ range(1, 9, 3).count(5) }}{{ range(1, 9, 3).index(7) }}{{ range(9, 1, -3).index(3.0) }}
{{ range(3).index(3) }}
{{ range(0)[::2] }}{{ range(10)[2:9:3] }}{{ range(10)[8:1:-3] }}{{ range(9, 0, -2)[::-2] }}{{ range(3)[::99] }}{{ range(3)[2:1] }}{{ range(3)[::-99]|list }}{{ range(10)[::3][1:][0] }}
{{ d.keys() - ['b', 'C', 'items'] }}
"""


# What galen refuses though the reference renders it, with the words of the refusal.
REFUSED = {
    "{{ 9223372036854775807 + 1 }}": "64 bits", "{{ 4611686018427387904 * 2 }}": "64 bits", "{{ 2 ** 64 }}": "64 bits",
    "{{ 1e300|int }}": "64-bit integer", "{{ '99999999999999999999'|int }}": "64 bits", "{{ 99999999999999999999 }}": "64 bits",
    "{{ s.encode() }}": "not supported", "{{ d.keys() - ['b', 'C', 'items'] }}": "not supported", "{% block b %}{% endblock %}": "not supported",
}


def expressions(text, separator):
    for line in text.splitlines():
        yield from (part.strip(" ") if separator == " ;; " else part for part in line.split(separator))


def statements():
    """One template per line; lines that do not begin a template on their own are joined below."""
    return [line for line in STATEMENTS.strip("\n").splitlines() if line]


WHOLE = [
    # Whitespace control, with its line ends.
    "  {% if n %}\n  x\n  {% endif %}\ny\n  {%+ if n %}\n  x\n  {%- endif +%}\ny\n",
    "{% if n +%}\nx\n{%- endif %}\n\nz\n\n",
    "line1\n    {{ n }}\n    {% set q = 1 %}   tail\n    {# c #}\nend\n",
    "a{% if n %}\n{% endif %}\nb\n\n{%- set x = 1 %}\n\n{{- x }}\n\n{{ x -}}\n\nend",
    "{% for i in l -%}\n  {{ i }}\n{%- endfor %}\n", "{% for i in l %}\n  {{ i }}\n{% endfor %}\n",
    "a\r\nb\rc\n{% if n %}\r\nd\r\n{% endif %}\r\n", "\n", "", "\n\n", "\r\n", " \n ", "{{ n }}\n", "{{ n }}\n\n", "{{ n }}\r\n\r\n",
    "x{% raw %}\n y\n{% endraw %}\nz", "x  {%- raw %} y {% endraw -%}  z", "  {% raw %}a{% endraw %}\n  b", "  {% raw -%}  a  {%- endraw %}\n  b",
    "{# a\nb #}\n{{ n }}{{ undefined_name.x }}", "{#- a #}  b", "a\n  {# c #}\n  b", "a\n  {#- c -#}\n  b", "a {#+ c #}\n b",
    "{% set x = '\n' %}[{{ x }}]", "{{ 'a\r\nb' }}", "\u00a0{% if n %}\u00a0{% endif %}\u00a0", "\u2003{%- if n -%}\u2003x\u2003{%- endif -%}\u2003",
    "{{\n'a'\n~\n'b'\n}}", "{%\nif n\n%}a{%\nendif\n%}", "{ { n } } {", "{", "{{ '{' }}{", "a { b {% if n %}{{% endif %}", "{{ n }}{", "%} }} #}",
    "{%- filter indent(2) %}\na\nb\n{% endfilter %}\n", "\ufeff{{ n }}", "{{ 'é' }}{% set é = 1 %}{{ é }}", "{% set a1_b = 1 %}{{ a1_b }}",
    "{% if n %}\n    {{- 'a' }}\n    {%- if s %}\n        {{- 'b' -}}\n    {%- endif %}\n{%- endif %}\n",
    "{{ l|\nmap('string')\n|join }}", "{{ '''a''' }}", "{{ 'a\\'b' \"c\\\"d\" }}", "{{ 'a\\\nb' }}", "{% if n %}{{ 1 / 0 }}{% endif %}", "\n\n{{ nope.x }}\n", "{% for i in range(3) %}\n{{ nope.x }}{% endfor %}",
]


def all_cases():
    for expression in expressions(PRINTED, "|"):
        yield "{{ " + expression + " }}", "data"
    for expression in expressions(FILTERS, " ;; "):
        yield "{{ " + expression + " }}", "data"
    for template in statements() + COMPILED.strip("\n").splitlines() + WHOLE:
        yield template, "data"
    generator = random_templates.Generator(random.Random(20240726))
    for _ in range(300):
        yield generator.template(), "random"
