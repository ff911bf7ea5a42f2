CREATE TABLE public.access_grant (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    token_hash bytea NOT NULL,
    refresh_hash bytea,
    client_id character varying,
    dpop_jkt character varying,
    certificate_hash character varying,
    instance_jkt character varying,
    configuration_ids text NOT NULL,
    by_details boolean NOT NULL,
    person bytea NOT NULL,
    person_hash bytea NOT NULL,
    code_hash bytea,
    wallet_status text,
    wallet_until timestamp with time zone,
    revoked boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    token_expires_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.account (
    username_hash bytea NOT NULL,
    agency_id character varying NOT NULL,
    salt bytea NOT NULL,
    password_hash bytea NOT NULL,
    person bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.api_key (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    name character varying NOT NULL,
    role character varying NOT NULL,
    key_hash bytea NOT NULL,
    revoked boolean NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.audit_entries (
    writer character varying(64) NOT NULL,
    sequence integer NOT NULL,
    at timestamp with time zone NOT NULL,
    event character varying(64) NOT NULL,
    details text NOT NULL,
    mac bytea NOT NULL
);
CREATE TABLE public.audit_heads (
    writer character varying(64) NOT NULL,
    sequence integer NOT NULL,
    mac bytea NOT NULL
);
CREATE TABLE public."authorization" (
    request_hash bytea NOT NULL,
    agency_id character varying NOT NULL,
    state character varying NOT NULL,
    client_id character varying NOT NULL,
    request text NOT NULL,
    configuration_ids text NOT NULL,
    by_details boolean NOT NULL,
    dpop_jkt character varying,
    instance_jkt character varying,
    certificate_hash character varying,
    session_hash bytea,
    person bytea,
    person_hash bytea,
    code_hash bytea,
    code_expires_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.batch (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    notification_hash bytea NOT NULL,
    grant_id character varying NOT NULL,
    event character varying,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.bulk_job (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    state character varying NOT NULL,
    wanted text NOT NULL,
    people integer NOT NULL,
    offered integer NOT NULL,
    failed integer NOT NULL,
    holder character varying NOT NULL,
    held_until timestamp with time zone NOT NULL,
    created_by character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.bulk_row (
    id character varying NOT NULL,
    job_id character varying NOT NULL,
    number integer NOT NULL,
    state character varying NOT NULL,
    person bytea NOT NULL,
    result bytea,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.deferred (
    transaction_hash bytea NOT NULL,
    agency_id character varying NOT NULL,
    grant_id character varying NOT NULL,
    state character varying NOT NULL,
    configuration_id character varying NOT NULL,
    keys bytea NOT NULL,
    wallet_status text,
    maintained_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.delivery (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    channel character varying NOT NULL,
    state character varying NOT NULL,
    content bytea NOT NULL,
    tries integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.issuance (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    batch_id character varying NOT NULL,
    grant_id character varying NOT NULL,
    credential_type character varying NOT NULL,
    configuration_id character varying NOT NULL,
    person_hash bytea NOT NULL,
    status character varying NOT NULL,
    status_list_id character varying,
    status_index integer,
    record_hash bytea NOT NULL,
    client_id character varying,
    wallet_status text,
    issued_on timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.issuer_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.jobs (
    name character varying(64) NOT NULL,
    due_at timestamp with time zone NOT NULL,
    held_until timestamp with time zone NOT NULL,
    holder character varying(36) NOT NULL
);
CREATE TABLE public.lockouts (
    key bytea NOT NULL,
    failures integer NOT NULL,
    open_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.offer (
    id_hash bytea NOT NULL,
    agency_id character varying NOT NULL,
    state character varying NOT NULL,
    configuration_ids text NOT NULL,
    person bytea,
    person_hash bytea,
    tx_code_hash bytea,
    tx_code text,
    tx_failures integer NOT NULL,
    "grant" character varying NOT NULL,
    job_id character varying,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.outbox (
    id character varying(36) NOT NULL,
    receiver character varying(64) NOT NULL,
    sealed_body bytea NOT NULL,
    tries integer NOT NULL,
    due_at timestamp with time zone NOT NULL
);
CREATE TABLE public.outdated (
    issuance_id character varying NOT NULL,
    agency_id character varying NOT NULL,
    reason character varying NOT NULL,
    revoke_at timestamp with time zone NOT NULL
);
CREATE TABLE public.rate_limits (
    key bytea NOT NULL,
    count bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.spent (
    value_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.status_list (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    bits integer NOT NULL,
    size integer NOT NULL,
    drawn integer NOT NULL,
    sealed_key bytea NOT NULL,
    changed integer NOT NULL,
    published integer NOT NULL,
    published_at timestamp with time zone,
    jwt character varying,
    cwt bytea,
    expires_at timestamp with time zone
);
CREATE TABLE public.subject (
    person_hash bytea NOT NULL,
    agency_id character varying NOT NULL,
    grant_id character varying NOT NULL,
    person bytea NOT NULL,
    compared_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.transactions (
    id character varying(64) NOT NULL,
    service_id character varying(64) NOT NULL,
    request_hash bytea NOT NULL,
    policy_id character varying(64) NOT NULL,
    mode character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    sealed bytea NOT NULL,
    failures integer NOT NULL,
    last_failure text,
    declined_with text,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.webhook (
    id character varying NOT NULL,
    agency_id character varying NOT NULL,
    url character varying NOT NULL,
    events text NOT NULL,
    secret bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);
INSERT INTO public.access_grant VALUES ('7RektweTzoW39PqFomuQ89nyX1fwjA7AGKBS1CoLJkI', 'lindenmoor', '\x4d06763e51b42bc8d40fac28fdd9e5c9f329022709426587317cbddd75d5a2cd', '\xfd8aca2e92646785ee66bb655f5e294c9529cab392e33875f079accd2da143d7', 'byoid-wallet', 'tmg2v4Nyv7sSiqVXF_IHW4x1Rgux07hGhfQbGpjzE7g', NULL, 'Hdc6CfJ1vNGrPKvKgt1b5Xyv4Tp1LRBRSNaXJloKDFU', '["pid_sd_jwt"]', false, '\x010b64656d6f2d69737375657215390ac192b24d8331fee65609c2af21b584fdf2f23cf0f42174605e4e064c39e45c9786e947', '\xf4ae7361806ad642346172adab9b075b2fad7e13a9cee3d0d10ad4ea2ceea85d', NULL, '{"status_list":{"idx":97028,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}', '2027-12-27 11:02:37+00', false, '2026-11-22 11:02:37.802855+00', '2026-11-22 11:07:37.802865+00', '2027-11-22 11:02:37.802869+00');
INSERT INTO public.access_grant VALUES ('xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'lindenmoor', '\x62d47603d5f80e060dbfdd9ef880f6e261b05521c60de9e6c0f074cb88697693', '\xe9a949619cb1e4b2e9b23a48a5209e964c7660b6d4a5b3f7745dd484286e878c', 'byoid-wallet', 'vBQg4_t_ymJg81hSinzjrhD9DJJ9UTydKVN8cWoD6Gw', NULL, 'A3sCu_nNzr2pySUna-csMOpQQszfKvREXWvN4asFD3Q', '["pid_sd_jwt"]', false, '\x010b64656d6f2d697373756572e0d1e6c30d38898437cd948c3b9bb552f431bf7158ca68c2b420dd43dd7a203ad868cd96c1d7', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', NULL, '{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}', '2027-12-27 11:02:38+00', false, '2026-11-22 11:02:38.476235+00', '2026-11-22 11:07:38.476242+00', '2027-11-22 11:02:38.476245+00');
INSERT INTO public.access_grant VALUES ('CIyLbtZMp7_3ok_PTbi0Z2tHqG8Wk9gFZcmpty_jR6U', 'lindenmoor', '\xec7c5ed8c0f8aa3db67ff2fac0834d767222b6584fc0d6bb706083ea7ab3ea14', '\x8c2b38cbb1c0cbb0484cba4d8d0dc5b33988095509119a6e4ebccbb4ffeb684f', NULL, 'rUH2owmKJsvMcaRU5CEVIZHI80ZBONWoBAPA9Yh3IwY', NULL, NULL, '["pid_sd_jwt"]', false, '\x010b64656d6f2d697373756572acc0e59afe76b0efc06df044608081527e7387cb923e3db000f5871202cd2c6f0dd88e5acf25', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', NULL, NULL, NULL, false, '2026-11-22 11:02:42.092056+00', '2026-11-22 11:07:42.092064+00', '2027-11-22 11:02:42.092068+00');
INSERT INTO public.api_key VALUES ('8e238fe4dc4c', 'lindenmoor', 'demo', 'operator', '\x51ebca793a4acfa29b16382b2e975df9e740538061a48e1e9d3f624e33c9e52d', false, '2026-11-22 11:02:36.630744+00');
INSERT INTO public.audit_entries VALUES ('agency', 1, '2026-11-22 11:02:36.635916+00', 'api-key.added', '{"actor":"demo","key":"8e238fe4dc4c","role":"operator"}', '\x3db9d65790d1d15f258ca377aa9281de355b1f0a444a47583e26e4ea84973fea');
INSERT INTO public.audit_entries VALUES ('agency', 2, '2026-11-22 11:02:36.753657+00', 'admin.called', '{"actor":"key:8e238fe4dc4c","call":"POST /admin/offers"}', '\x5cc475de6026d70361dbebc3173f820f6a398c812f0c526fa93eecb716b31ffb');
INSERT INTO public.audit_entries VALUES ('agency', 3, '2026-11-22 11:02:36.764387+00', 'offer.created', '{"actor":"key:8e238fe4dc4c","types":["pid"],"person":"f4ae7361806ad642346172adab9b075b2fad7e13a9cee3d0d10ad4ea2ceea85d"}', '\xfd53b6c70a24742d48c8d49df6b5086ee9e3dd47df5af6e41b97e6341bdc11a2');
INSERT INTO public.audit_entries VALUES ('agency', 4, '2026-11-22 11:02:38.105046+00', 'admin.called', '{"actor":"key:8e238fe4dc4c","call":"GET /admin/issued"}', '\xb933df80490d7d2f406538c1d4522c88e548b3f5e71e01b1f34485fabe15f4a7');
INSERT INTO public.audit_entries VALUES ('agency', 5, '2026-11-22 11:02:38.136954+00', 'admin.called', '{"actor":"key:8e238fe4dc4c","call":"POST /admin/offers"}', '\xfc1e7b4e7a38c8d1adee9a063901a7ff06305f24e8b6014d13939503f80006dc');
INSERT INTO public.audit_entries VALUES ('agency', 6, '2026-11-22 11:02:38.152265+00', 'offer.created', '{"actor":"key:8e238fe4dc4c","types":["pid"],"person":"66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0"}', '\xcaf27c1a02bb5603bdb35b2adfabcb8c21ba3ad98e87b32de007ba42782ffd58');
INSERT INTO public.audit_entries VALUES ('agency', 7, '2026-11-22 11:02:38.666478+00', 'admin.called', '{"actor":"key:8e238fe4dc4c","call":"GET /admin/issued"}', '\x1425bac6cc0a75b472cb5e631a30b6f9872c8c0be959df16426f71bcd3e1727e');
INSERT INTO public.audit_entries VALUES ('agency', 8, '2026-11-22 11:02:39.170836+00', 'admin.called', '{"actor":"key:8e238fe4dc4c","call":"POST /admin/revoke"}', '\xb789caca52688bf3dcab30b50a3c94270b8eafd4b05238abc32b9af8493ad8e5');
INSERT INTO public.audit_entries VALUES ('agency', 9, '2026-11-22 11:02:39.180138+00', 'credential.revoked', '{"actor":"key:8e238fe4dc4c","reason":"the demo''s person has moved","count":20,"target":"person","value":"66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0"}', '\x43922e5238c03ac6e5c8243dec2a43795cde023036bb3816940dc2d582834109');
INSERT INTO public.audit_entries VALUES ('agency', 10, '2026-11-22 11:02:42.062152+00', 'admin.called', '{"actor":"key:8e238fe4dc4c","call":"POST /admin/offers"}', '\x5b8bd612b80d42a356604b6c7791f0a14a8f78bb4ae97e30d13d07f2e81900f2');
INSERT INTO public.audit_entries VALUES ('agency', 11, '2026-11-22 11:02:42.065545+00', 'offer.created', '{"actor":"key:8e238fe4dc4c","types":["pid"],"person":"66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0"}', '\xf60093ad8606698fc11244f835da7ae946aed9b99cc1bd77797fdafd72ec9910');
INSERT INTO public.audit_heads VALUES ('agency', 11, '\xf60093ad8606698fc11244f835da7ae946aed9b99cc1bd77797fdafd72ec9910');
INSERT INTO public.batch VALUES ('zHK7NoUsQ-OuzeEIeZuu1w', 'lindenmoor', '\x15590c3fa4079de86d038fb6b278b264b679961c3224a269b11430cd7092dde9', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'credential_accepted', '2026-11-22 11:02:38.55354+00', '2026-12-07 00:00:00+00');
INSERT INTO public.batch VALUES ('3KkrLyJ1rJm40oaRYvBNWg', 'lindenmoor', '\xa33db8014181e0e44ba20bc3d80d32271d0e87fab81657edb378a34e6aaa9024', 'CIyLbtZMp7_3ok_PTbi0Z2tHqG8Wk9gFZcmpty_jR6U', NULL, '2026-11-22 11:02:42.116556+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('WjazRA-xJhX50QAD4T5Y4Q', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 293213, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('zlqu1kQy1y4UeF_a--afMA', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 1026582, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('2Fl---lErpf_tDQV90c08A', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 631518, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('jQeSBYaVultJxABcBjBJgw', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 582152, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('ooiujolzQT9q7EKQgaWbmQ', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 702865, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('kgfodyJfEwMpU4Nu_WzrUA', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 495778, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('9XW2J9_vng29GUKi7MGyNQ', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 333387, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('m8HtHYyjGafzaJn0eL_8Cw', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 308191, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('u0Kc7M0hDin4pAywT9IzXA', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 431597, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('4iQgJ4PI8PbZccODvP1QBQ', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 875317, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('ixR6p54zKvN0yybRWiX6Gg', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 179258, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('o7A287vGxtPyXwWBzZ5eMQ', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 592220, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('rhLEVbFfqN2SbbvNFBgZrg', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 389904, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('V4GxDdNC3jgItYfFgQMHhg', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 23955, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('ixogTb48aBWqkUnd4DR5yA', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 194212, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('zLp2-bDjn_eHyzTTXQKb3Q', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 999348, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('4zF6IEw-ClnCBqhe-FC6vQ', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 971459, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('kKchkDyxH5NZgdSoKt1YTg', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 172325, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('2CGzhzVICh2O8ax-2zHwgw', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 696926, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('2AitMRM-h-W4CnNBZzbOyQ', 'lindenmoor', 'zHK7NoUsQ-OuzeEIeZuu1w', 'xK9QwF3MC8VVx_PSRXNLyrDBZ8DZy-G3TeCjPtIrvYo', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'revoked', '5f8yv31vjzSq6k2W', 867886, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', 'byoid-wallet', '[{"status_list":{"idx":39706,"uri":"http://localhost:18103/attestations/status/client-2026-11-1"}}]', '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuance VALUES ('dvb_w93gsRbrKF4NIVQehg', 'lindenmoor', '3KkrLyJ1rJm40oaRYvBNWg', 'CIyLbtZMp7_3ok_PTbi0Z2tHqG8Wk9gFZcmpty_jR6U', 'pid', 'pid_sd_jwt', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'valid', '5f8yv31vjzSq6k2W', 158620, '\x63a9c68477c8b639af97c6135123a7abf927f5a9de1c5eaf1a0605347e71af36', NULL, NULL, '2026-11-22 10:52:34+00', '2026-12-07 00:00:00+00');
INSERT INTO public.issuer_version VALUES ('0001');
INSERT INTO public.offer VALUES ('\xf06adfe6533731db234fa2963644e29acdce37d6144ed8a970c9b4f39c330475', 'lindenmoor', 'redeemed', '["pid_sd_jwt"]', '\x010b64656d6f2d697373756572348365b4a9dd82c92b2c5a7a05d4cf99542c345fa92bad2ce6d2d103ed7059819038fb1c23f7', '\xf4ae7361806ad642346172adab9b075b2fad7e13a9cee3d0d10ad4ea2ceea85d', '\x8027880507e4890daee8318f1e7a2b90400b897514440e114f3d57c75df77aa6', '{"input_mode":"numeric","length":6,"description":"Enter the code that you received on another way than this offer."}', 1, 'pre-authorized', NULL, '2026-11-22 11:02:36.758615+00', '2026-11-29 11:02:36.758623+00');
INSERT INTO public.offer VALUES ('\x829e3d4f92522ea51883b7f4e6ccc1b6345a01262011fc0f015205421b6e4eb9', 'lindenmoor', 'redeemed', '["pid_sd_jwt"]', '\x010b64656d6f2d6973737565720d61b03ff8110c6fc9aec13f2a5ac2901f2a2884256d41547eeac62a8721102a5e4a59fca381', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', '\x8c7705503bb598ee577f377c58ac1375ffc9840dc61006305c13be60de74fa3d', '{"input_mode":"numeric","length":6,"description":"Enter the code that you received on another way than this offer."}', 1, 'pre-authorized', NULL, '2026-11-22 11:02:38.141342+00', '2026-11-29 11:02:38.14135+00');
INSERT INTO public.offer VALUES ('\x6c608521ebaace40f9808f6adac4e9e4e8e8534d0e0de3960235d9f1dd4270d4', 'lindenmoor', 'redeemed', '["pid_sd_jwt"]', '\x010b64656d6f2d69737375657271435286ce25c63bc478840a5d36c19322d6a4ce7eb74524a7964a67c08fe7dfe6ef20dea84b', '\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', '\x94d9e79eb4bb5460ff44b4f655d2a994374fa5ff91997750e7453f1a7762d9b5', '{"input_mode":"numeric","length":6,"description":"Enter the code that you received on another way than this offer."}', 1, 'pre-authorized', NULL, '2026-11-22 11:02:42.064348+00', '2026-11-29 11:02:42.064356+00');
INSERT INTO public.spent VALUES ('\x9a27c633c16d078a0d4d78b035484441766ca64aa052a070a137ba9b99fc5aed', '2026-11-22 11:10:37.692689+00');
INSERT INTO public.spent VALUES ('\x7d94b39bfc169a48837222a73f4fd3609285824aea13974774bb347d8d9ff3cd', '2026-11-22 11:10:37.707248+00');
INSERT INTO public.spent VALUES ('\x851dc02813120f15bdbc62c7100e282b94f04397a5bd5350592ed042eefb0c39', '2026-11-22 11:10:38.010491+00');
INSERT INTO public.spent VALUES ('\xa4bac1c7012801a6c3d29c98f9a3069feab8663da84cd38b1464b383ffd11d54', '2026-11-22 11:10:38.041494+00');
INSERT INTO public.spent VALUES ('\xdff498342cf9574dce3577cad12e5beb3c96334776acd0eebd15daebcb111fb8', '2026-11-22 11:10:38.460417+00');
INSERT INTO public.spent VALUES ('\x514131363af9d378415fa279b78dcbedd4a4d5f448fd63f55bd9ada1fdf8be6a', '2026-11-22 11:10:38.463652+00');
INSERT INTO public.spent VALUES ('\xf3a97c5b07b061a9c84e9fdd26bba498fd2b24867ced572a461ced17121c2561', '2026-11-22 11:10:38.509226+00');
INSERT INTO public.spent VALUES ('\xcb232d805f2117f6d05d76f19e4408e67a5e03fbbee31bbcf3e9f27828a08841', '2026-11-22 11:10:38.527033+00');
INSERT INTO public.spent VALUES ('\x9bc8d8336972f6f2f6ea7da3a7076bd8cb7b1b82ad17e124b0cca4080fea83a7', '2026-11-22 11:10:38.626941+00');
INSERT INTO public.spent VALUES ('\x0b595749c4e5f03d6fc46607e0fac90da60ac21c361a9b578a0186f3771e83ce', '2026-11-22 11:10:42.08679+00');
INSERT INTO public.spent VALUES ('\x601b01c1b5e34bc9475c6a867e89966b0726055bc581eaa688f46182c0e71851', '2026-11-22 11:10:42.101504+00');
INSERT INTO public.spent VALUES ('\xe9ddaa0e4a604a502a88bc0796fcb9d8cd138e7c4c6017eb0cf2090c004237ae', '2026-11-22 11:10:42.106862+00');
INSERT INTO public.status_list VALUES ('5f8yv31vjzSq6k2W', 'lindenmoor', 2, 1048576, 42, '\x010b64656d6f2d6973737565728a48473a3dad855263fd3a38bfc1f7da4b5953eb55b36c49d4c1ac913973d7835af561df9a06d6fb0655a40a3b0c80f525cc99ded20a3527b617d723', 2, 2, '2026-11-22 11:02:39.563894+00', 'eyJhbGciOiJFUzI1NiIsInR5cCI6InN0YXR1c2xpc3Qrand0IiwieDVjIjpbIk1JSUNFRENDQWJlZ0F3SUJBZ0lVR2Zpb1hqMVJGdGZZREFuZHdMdnZiWFozTElZd0NnWUlLb1pJemowRUF3SXdZVEVMTUFrR0ExVUVCaE1DUkVVeEhEQWFCZ05WQkFvTUUwZGxiV1ZwYm1SbElFeHBibVJsYm0xdmIzSXhFVEFQQmdOVkJHRU1DRTVVVWtSRkxVeE5NU0V3SHdZRFZRUUREQmhIWlcxbGFXNWtaU0JNYVc1a1pXNXRiMjl5SUhKdmIzUXdIaGNOTWpZeE1USXlNVEExTWpNMFdoY05NamN4TWpJME1UQTFOek0wV2pCY01Rc3dDUVlEVlFRR0V3SkVSVEVjTUJvR0ExVUVDZ3dUUjJWdFpXbHVaR1VnVEdsdVpHVnViVzl2Y2pFUk1BOEdBMVVFWVF3SVRsUlNSRVV0VEUweEhEQWFCZ05WQkFNTUUwZGxiV1ZwYm1SbElFeHBibVJsYm0xdmIzSXdXVEFUQmdjcWhrak9QUUlCQmdncWhrak9QUU1CQndOQ0FBVEZHSEJBYVpNbFJTVkwrZnd6V2dRMXU5b09NTk83RllraGVYNGt6Kzd1T3NmK0IwK2hkZlhkanpYeXMvV0FnNU45eWlPZ3g1WGM0NCsxNS9iMlU4ZXBvMUl3VURBZEJnTlZIUTRFRmdRVVI3UVVYV0M0SU1CbzR2RzBxeThLdjNldXI2QXdId1lEVlIwakJCZ3dGb0FVRUNXa2I2MlVTZHBSVkwwZG5WMzRRYXA3NURvd0RnWURWUjBQQVFIL0JBUURBZ2VBTUFvR0NDcUdTTTQ5QkFNQ0EwY0FNRVFDSURJRHJZMmJvYjBtUE13Z20zWnBQVEFyMG85KzU3UXByOGVmV0RKRDFMaitBaUFHRzg2enc3K1BzbHdqRGplU3NEYUdGYStSeFJSalpsZ2hBK3JVV1ZMU3Z3PT0iXX0.eyJzdWIiOiJodHRwOi8vbG9jYWxob3N0OjE4MTAxL3N0YXR1cy81Zjh5djMxdmp6U3E2azJXIiwiaWF0IjoxNzk1MzQ1MzU5LCJleHAiOjE3OTU0MzE3NTksInR0bCI6Mywic3RhdHVzX2xpc3QiOnsiYml0cyI6MiwibHN0IjoiZUFIdHdjc0p3MEFRQmJDM01BVk1TZHRfVllGY2M0bU5QNnd0S1FBQUFBQUF3QzR6QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQURBSTFRQVlGRWRBQUFBdU5VSUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUR3TGhVQUFBQzQzd3dBQUFBQUFNQmxaZ0FBQUFBQUFBQUFBQUFBQUFEZ0NVWUFBQUFBQUFBQUFBQUFMbEVCQUFBQUFBQUFBQUFBQUFBQUFBQ0FqVG9BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU1CNlJnQUFXTjRJQUFBQUFBQUFBQUFBX09vQUFBQUFBQUFBQUFBQUFBQUFBQUFBWi1zQXNMd0tBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBOEJJZEFHQzdDZ0FBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQWY1b0JBQUFBQUFBQXZrWUFBQUFBQUFEZ2ZCMEFBQUFBQUE3MkFWV0RBWG8iLCJhZ2dyZWdhdGlvbl91cmkiOiJodHRwOi8vbG9jYWxob3N0OjE4MTAxL3N0YXR1cyJ9fQ.7j5Tykr1qr4ZUT-ovGjnvCRhDggw8Wa6pWpdP7KQIu53HlhQ4wiUXSAOr59S7HiQD9-U7KapOWLcDO2R_Wc9_A', '\xd2845820a2012610781a6170706c69636174696f6e2f7374617475736c6973742b637774a1182159021430820210308201b7a003020102021419f8a85e3d5116d7d80c09ddc0bbef6d76772c86300a06082a8648ce3d0403023061310b3009060355040613024445311c301a060355040a0c1347656d65696e6465204c696e64656e6d6f6f723111300f06035504610c084e545244452d4c4d3121301f06035504030c1847656d65696e6465204c696e64656e6d6f6f7220726f6f74301e170d3236313132323130353233345a170d3237313232343130353733345a305c310b3009060355040613024445311c301a060355040a0c1347656d65696e6465204c696e64656e6d6f6f723111300f06035504610c084e545244452d4c4d311c301a06035504030c1347656d65696e6465204c696e64656e6d6f6f723059301306072a8648ce3d020106082a8648ce3d03010703420004c518704069932545254bf9fc335a0435bbda0e30d3bb158921797e24cfeeee3ac7fe074fa175f5dd8f35f2b3f58083937dca23a0c795dce38fb5e7f6f653c7a9a3523050301d0603551d0e0416041447b4145d60b820c068e2f1b4ab2f0abf77aeafa0301f0603551d230418301680141025a46fad9449da5154bd1d9d5df841aa7be43a300e0603551d0f0101ff040403020780300a06082a8648ce3d040302034700304402203203ad8d9ba1bd263ccc209b76693d302bd28f7ee7b429afc79f583243d4b8fe0220061bceb3c3bf8fb25c230e3792b0368615af91c5146366582103ead45952d2bf5901cea502782e687474703a2f2f6c6f63616c686f73743a31383130312f7374617475732f35663879763331766a7a5371366b3257041a6b041d4f061a6b02cbcf19fffda3636c737459014c7801edc1cb09c3401005b0b730054c49db7f55815c73898d3fac2d290000000000c02e330000000000000000000000000000000000000000000000000000000000000000000000c023540060511d000000b8d5080000000000000000000000000000000000000000000000f02e15000000b8df0c0000000000c0656600000000000000000000000000e00946000000000000000000002e51010000000000000000000000000000808d3a0000000000000000000000000000000000000000c07a46000058de08000000000000000000fcea0000000000000000000000000000000067eb00b0bc0a000000000000000000000000000000000000000000000000000000000000000000000000000000f0121d0060bb0a00000000000000000000000000000000000000000000007f9a01000000000000be46000000000000e07c1d00000000000ef6015583017a6462697473026f6167677265676174696f6e5f757269781d687474703a2f2f6c6f63616c686f73743a31383130312f73746174757319fffe0358404e30ca70f11236ad8f2b1c4e82ce7aca8002ce48a59d83f3c8af9f519607b246b3434e832ded9d9f06950f3c82ee72faac6b973ee854e0e4b6fa4a5aa68c2478', '2026-11-23 11:02:39.564383+00');
INSERT INTO public.subject VALUES ('\x66d8ebe557f40b83107907609a387d677edef5e0cde3969f34ee1fc3204d59b0', 'lindenmoor', 'CIyLbtZMp7_3ok_PTbi0Z2tHqG8Wk9gFZcmpty_jR6U', '\x010b64656d6f2d697373756572acc0e59afe76b0efc06df044608081527e7387cb923e3db000f5871202cd2c6f0dd88e5acf25', '2026-11-22 11:02:38.561774+00', '2026-12-07 00:00:00+00');
ALTER TABLE ONLY public.issuer_version
    ADD CONSTRAINT issuer_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.access_grant
    ADD CONSTRAINT pk_access_grant PRIMARY KEY (id);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT pk_account PRIMARY KEY (username_hash);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT pk_api_key PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT pk_audit_entries PRIMARY KEY (writer, sequence);
ALTER TABLE ONLY public.audit_heads
    ADD CONSTRAINT pk_audit_heads PRIMARY KEY (writer);
ALTER TABLE ONLY public."authorization"
    ADD CONSTRAINT pk_authorization PRIMARY KEY (request_hash);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT pk_batch PRIMARY KEY (id);
ALTER TABLE ONLY public.bulk_job
    ADD CONSTRAINT pk_bulk_job PRIMARY KEY (id);
ALTER TABLE ONLY public.bulk_row
    ADD CONSTRAINT pk_bulk_row PRIMARY KEY (id);
ALTER TABLE ONLY public.deferred
    ADD CONSTRAINT pk_deferred PRIMARY KEY (transaction_hash);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT pk_delivery PRIMARY KEY (id);
ALTER TABLE ONLY public.issuance
    ADD CONSTRAINT pk_issuance PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (name);
ALTER TABLE ONLY public.lockouts
    ADD CONSTRAINT pk_lockouts PRIMARY KEY (key);
ALTER TABLE ONLY public.offer
    ADD CONSTRAINT pk_offer PRIMARY KEY (id_hash);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT pk_outbox PRIMARY KEY (id);
ALTER TABLE ONLY public.outdated
    ADD CONSTRAINT pk_outdated PRIMARY KEY (issuance_id);
ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT pk_rate_limits PRIMARY KEY (key);
ALTER TABLE ONLY public.spent
    ADD CONSTRAINT pk_spent PRIMARY KEY (value_hash);
ALTER TABLE ONLY public.status_list
    ADD CONSTRAINT pk_status_list PRIMARY KEY (id);
ALTER TABLE ONLY public.subject
    ADD CONSTRAINT pk_subject PRIMARY KEY (person_hash);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT pk_transactions PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT pk_webhook PRIMARY KEY (id);
ALTER TABLE ONLY public.access_grant
    ADD CONSTRAINT uq_access_grant_refresh_hash UNIQUE (refresh_hash);
ALTER TABLE ONLY public.access_grant
    ADD CONSTRAINT uq_access_grant_token_hash UNIQUE (token_hash);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT uq_api_key_key_hash UNIQUE (key_hash);
ALTER TABLE ONLY public."authorization"
    ADD CONSTRAINT uq_authorization_code_hash UNIQUE (code_hash);
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT uq_batch_notification_hash UNIQUE (notification_hash);
ALTER TABLE ONLY public.transactions
    ADD CONSTRAINT uq_transactions_request_hash UNIQUE (request_hash);
CREATE INDEX ix_access_grant_code_hash ON public.access_grant USING btree (code_hash);
CREATE INDEX ix_access_grant_expires_at ON public.access_grant USING btree (expires_at);
CREATE INDEX ix_access_grant_person_hash ON public.access_grant USING btree (person_hash);
CREATE INDEX ix_authorization_expires_at ON public."authorization" USING btree (expires_at);
CREATE INDEX ix_batch_expires_at ON public.batch USING btree (expires_at);
CREATE INDEX ix_bulk_job_expires_at ON public.bulk_job USING btree (expires_at);
CREATE INDEX ix_bulk_row_expires_at ON public.bulk_row USING btree (expires_at);
CREATE INDEX ix_bulk_row_waiting ON public.bulk_row USING btree (job_id, state, number);
CREATE INDEX ix_deferred_expires_at ON public.deferred USING btree (expires_at);
CREATE INDEX ix_delivery_channel ON public.delivery USING btree (channel);
CREATE INDEX ix_delivery_due_at ON public.delivery USING btree (due_at);
CREATE INDEX ix_delivery_expires_at ON public.delivery USING btree (expires_at);
CREATE INDEX ix_issuance_batch_id ON public.issuance USING btree (batch_id);
CREATE INDEX ix_issuance_credential_type ON public.issuance USING btree (credential_type);
CREATE INDEX ix_issuance_expires_at ON public.issuance USING btree (expires_at);
CREATE INDEX ix_issuance_grant_id ON public.issuance USING btree (grant_id);
CREATE INDEX ix_issuance_list ON public.issuance USING btree (status_list_id, status);
CREATE INDEX ix_issuance_person_hash ON public.issuance USING btree (person_hash);
CREATE INDEX ix_lockouts_expires_at ON public.lockouts USING btree (expires_at);
CREATE INDEX ix_offer_expires_at ON public.offer USING btree (expires_at);
CREATE INDEX ix_offer_job_id ON public.offer USING btree (job_id);
CREATE INDEX ix_offer_person_hash ON public.offer USING btree (person_hash);
CREATE INDEX ix_outbox_due_at ON public.outbox USING btree (due_at);
CREATE INDEX ix_outdated_revoke_at ON public.outdated USING btree (revoke_at);
CREATE INDEX ix_rate_limits_expires_at ON public.rate_limits USING btree (expires_at);
CREATE INDEX ix_spent_expires_at ON public.spent USING btree (expires_at);
CREATE INDEX ix_subject_compared_at ON public.subject USING btree (compared_at);
CREATE INDEX ix_subject_expires_at ON public.subject USING btree (expires_at);
CREATE INDEX ix_transactions_expires_at ON public.transactions USING btree (expires_at);
