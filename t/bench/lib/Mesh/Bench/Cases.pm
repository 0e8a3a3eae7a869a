package Mesh::Bench::Cases;

# What is measured, on which location of which Nginx, and what it should cost.

use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(cases config upstream);

# Of a case: the location on bare Nginx and the one that is measured (the same path, unless it says
# otherwise), the file of tokens and how many of them in turn, keys, TLS, and the goals: at least
# that ratio to the base, at most so many microseconds or instructions over it.
my @CASES = (
    { name => 'token-static', path => '/token/static/', tokens => 'known', count => 1 },
    { name => 'token-proxied', path => '/token/proxied/', tokens => 'known', count => 1 },
    { name => 'chain-static', path => '/chain/static/', tokens => 'known', count => 1,
        goal => { ratio => 0.88, instructions => 5000 } },
    { name => 'chain-proxied', path => '/chain/proxied/', tokens => 'known', count => 1,
        goal => { ratio => 0.93, instructions => 5000 } },
    { name => 'chain-10k-static', path => '/chain/static/', tokens => 'known', count => 10_000,
        goal => { ratio => 0.83 } },
    { name => 'chain-10k-proxied', path => '/chain/proxied/', tokens => 'known', count => 10_000,
        goal => { ratio => 0.90 } },
    { name => 'unknown-rs256', path => '/token/static/', tokens => 'rs256', count => 17_000,
        unknown => 1, goal => { micros => 16 } },
    { name => 'unknown-es256', path => '/token/static/', tokens => 'es256', count => 17_000,
        unknown => 1, goal => { micros => 39 } },
    { name => 'unknown-eddsa', path => '/token/static/', tokens => 'eddsa', count => 17_000,
        unknown => 1, goal => { micros => 29 } },
    { name => 'certificate', path => '/certificate/', tls => 1, goal => { micros => 0.15 } },
    { name => 'limit-100k', base => { server => 'module', path => '/token/static/?key=%06d' },
        measured => { server => 'module', path => '/limit/static/?key=%06d' },
        tokens => 'known', count => 1, keys => 100_000, goal => { micros => 0.15 } },
    { name => 'limit_req-100k', base => { server => 'bare', path => '/token/static/?key=%06d' },
        measured => { server => 'bare', path => '/limit_req/stat/?key=%06d' },
        tokens => 'known', count => 1, keys => 100_000 },
);

# The named cases, or all; a name may be the beginning of one.
sub cases (@names) {
    my @chosen = grep {
        my $case = $_;
        !@names || grep { $case->{name} =~ /^\Q$_\E/ } @names;
    } @CASES;
    die 'no such case; there are: ', join(' ', map { $_->{name} } @CASES), "\n" unless @chosen;
    for my $case (@chosen) {
        $case->{base} //= { server => 'bare', path => $case->{path} };
        $case->{measured} //= { server => 'module', path => $case->{path} };
    }
    return @chosen;
}

# The configuration of both sides: without the module, its lines are left out.
sub config (%given) {
    my $text = <<~'END';
        worker_processes 1;
        %affinity%
        events { worker_connections 512; }
        http {
            access_log off;
            keepalive_requests 1000000000;
            keepalive_timeout 600s;
            include issuer.conf;
            # 32 bytes for each of 100,000 keys.
            mesh_zone 3200k;
            limit_req_zone $arg_key zone=keys:32m rate=60r/m;
            upstream echo {
                server 127.0.0.1:%upstream%;
                keepalive 64;
                keepalive_requests 1000000000;
            }
            server {
                listen 127.0.0.1:%port%;
                location /token/static/ {
                    mesh_authenticate token;
                    empty_gif;
                }
                location /token/proxied/ {
                    mesh_authenticate token;
                    proxy_pass http://echo;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                }
                location /chain/static/ {
                    mesh_authenticate token;
                    mesh_require_claim /groups data-eng security;
                    mesh_limit calls rate=1000000r/s burst=1000000;
                    empty_gif;
                }
                location /chain/proxied/ {
                    mesh_authenticate token;
                    mesh_require_claim /groups data-eng security;
                    mesh_limit calls rate=1000000r/s burst=1000000;
                    proxy_pass http://echo;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                }
                location /limit/static/ {
                    mesh_authenticate token;
                    mesh_limit keys rate=60r/m burst=100000 key=$arg_key;
                    empty_gif;
                }
                location /limit_req/stat/ {
                    limit_req zone=keys burst=100000 nodelay;
                    empty_gif;
                }
            }
            server {
                listen 127.0.0.1:%tls_port% ssl;
                ssl_certificate %work%/tls/server.pem;
                ssl_certificate_key %work%/tls/server.key;
                ssl_client_certificate %work%/tls/ca.pem;
                ssl_verify_client on;
                location /certificate/ {
                    mesh_authenticate certificate;
                    empty_gif;
                }
            }
        }
        END
    my $issuer = <<~"END";
        mesh_issuer idp {
            issuer https://idp.example/oauth2/default;
            audience api://bench;
            jwks $given{work}/jwks.json;
            groups_claim /groups;
        }
        END
    my $module = delete $given{module};
    $text =~ s/^\s*include issuer\.conf;\n/$module ? $issuer : ''/em;
    $text =~ s/^\s*mesh_.*\n//mg unless $module;
    $text =~ s/%(\w+)%/$given{$1}/g;
    return ($module ? "load_module $module;\n" : '') . user() . $text;
}

# What is behind the proxied locations: it answers and does nothing else.
sub upstream ($port, $affinity) {
    return user() . <<~"END";
        worker_processes 1;
        $affinity
        events { worker_connections 512; }
        http {
            access_log off;
            keepalive_requests 1000000000;
            keepalive_timeout 600s;
            server {
                listen 127.0.0.1:$port;
                location / { empty_gif; }
            }
        }
        END
}

sub user () { return $> == 0 ? "user root;\n" : '' }

1;
