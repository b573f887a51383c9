// Every flow of the provider, completed by openid-client (certified by the OpenID Foundation as a relying party).
// Told by the environment where the provider is and who signs in; prints the name of each flow that it completed.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import * as oidc from 'openid-client'

const { ISSUER, WEB_SECRET, REPORTS_SECRET, EMAIL, PASSWORD } = process.env
const INSECURE = { execute: [oidc.allowInsecureRequests] } // the provider under test has no TLS in front of it

/** A browser: keeps cookies by path, follows redirects of the provider's own, sends the form of a page. */
class Browser {
  cookies = new Map()

  async visit(address, options = {}) {
    const url = new URL(address, ISSUER)
    if (url.origin !== new URL(ISSUER).origin || url.pathname === '/session/callback' || url.pathname === '/') return url
    const cookie = [...this.cookies.values()].filter((it) => url.pathname.startsWith(it.path)).map((it) => it.pair).join('; ')
    const headers = { accept: 'text/html', ...(cookie && { cookie }), ...options.headers }
    const answer = await fetch(url, { redirect: 'manual', ...options, headers })
    for (const set of answer.headers.getSetCookie()) this.keep(set)
    if (answer.headers.has('location')) return this.visit(new URL(answer.headers.get('location'), url))
    return { status: answer.status, html: await answer.text() }
  }

  keep(set) {
    const [pair, ...attributes] = set.split('; ')
    const path = attributes.find((it) => it.startsWith('Path=')).slice(5)
    this.cookies.set(pair.split('=')[0], { pair, path })
  }

  async send(page, written) {
    const [, action, fields] = page.html.match(/<form action="([^"]+)" method="post">([^]*?)<\/form>/)
    const hidden = [...fields.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)]
    const body = new URLSearchParams([...hidden.map(([, name, value]) => [name, unescape(value)]), ...Object.entries(written)])
    return this.visit(action, { method: 'POST', body, headers: { origin: new URL(ISSUER).origin } })
  }

  /** Visit an authorization request, sign in and agree where asked, and give the address it ends at. */
  async authorize(url) {
    let at = await this.visit(url)
    if (at.html?.includes('action="/account/login"')) at = await this.send(at, { email: EMAIL, password: PASSWORD })
    if (at.html?.includes('action="/oauth/consent"')) at = await this.send(at, { decision: 'allow' })
    assert(at instanceof URL, `the request ended at a page: ${at.status} ${at.html}`)
    return at
  }
}

function unescape(text) {
  return text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&#34;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, '&')
}

async function clientOf(id, authentication) {
  const config = await oidc.discovery(new URL(ISSUER), id, {}, authentication, INSECURE)
  oidc.enableNonRepudiationChecks(config) // verify the ID token's signature as well
  return config
}

/** A sign-in with everything that the client can check: PKCE, state, nonce, iss, max_age. */
async function signIn(browser, config, redirect_uri, more = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()]
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid profile email',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  })
  const back = await browser.authorize(url)
  const maxAge = more.max_age === undefined ? undefined : Number(more.max_age)
  return oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState, expectedNonce, maxAge, idTokenExpected: true })
}

async function refused(code, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.error, code)
    return true
  })
}

const web = await clientOf('web', oidc.ClientSecretBasic(WEB_SECRET))
const callback = `${ISSUER}/session/callback`
const browser = new Browser()

const flows = {
  async 'discovery'() {
    const said = web.serverMetadata()
    assert.equal(said.issuer, ISSUER)
    assert(said.supportsPKCE())
    assert.equal(said.authorization_response_iss_parameter_supported, true)
  },
  async 'prompt=none without a session'() {
    await refused('login_required', signIn(new Browser(), web, callback, { prompt: 'none' }))
  },
  async 'authorization code with PKCE'() {
    const tokens = await signIn(browser, web, callback)
    assert.equal(tokens.claims().email, EMAIL)
    assert.equal(tokens.token_type, 'bearer')
    assert(tokens.expiresIn() > 0)
  },
  async 'single sign-on, silently'() {
    assert((await signIn(browser, web, callback, { prompt: 'none' })).claims().sub)
  },
  async 'max_age and prompt=login'() {
    assert((await signIn(browser, web, callback, { max_age: '0' })).claims().auth_time)
    assert((await signIn(browser, web, callback, { prompt: 'login', max_age: '100' })).claims().auth_time)
  },
  async 'userinfo'() {
    const tokens = await signIn(browser, web, callback)
    const said = await oidc.fetchUserInfo(web, tokens.access_token, tokens.claims().sub)
    assert.deepEqual([said.email, said.email_verified, said.roles], [EMAIL, true, ['learner']])
  },
  async 'refresh with rotation'() {
    const first = await signIn(browser, web, callback)
    const second = await oidc.refreshTokenGrant(web, first.refresh_token)
    assert.notEqual(second.refresh_token, first.refresh_token)
    assert.equal(second.claims().sub, first.claims().sub)
    await refused('invalid_grant', oidc.refreshTokenGrant(web, first.refresh_token))
  },
  async 'introspection and revocation'() {
    const tokens = await signIn(browser, web, callback)
    assert.equal((await oidc.tokenIntrospection(web, tokens.access_token)).active, true)
    await oidc.tokenRevocation(web, tokens.refresh_token)
    assert.equal((await oidc.tokenIntrospection(web, tokens.access_token)).active, false)
  },
  async 'client_secret_post'() {
    const config = await clientOf('web', oidc.ClientSecretPost(WEB_SECRET))
    assert((await signIn(browser, config, callback)).claims().sub)
  },
  async 'client credentials'() {
    const reports = await clientOf('reports', oidc.ClientSecretBasic(REPORTS_SECRET))
    const tokens = await oidc.clientCredentialsGrant(reports, { scope: 'ledger:read' })
    assert.equal(tokens.scope, 'ledger:read')
    assert.equal(tokens.refresh_token, undefined)
  },
  async 'a public client on its own machine'() {
    const cli = await clientOf('cli', oidc.None())
    let arrived
    const listening = createServer((request, response) => {
      arrived = request.url
      response.end('You may close this window.')
    })
    await new Promise((resolve) => listening.listen(0, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${listening.address().port}`
    const follows = new Browser()
    const authorize = follows.authorize.bind(follows)
    follows.authorize = async (url) => {
      await fetch(await authorize(url), { headers: { connection: 'close' } })
      return new URL(arrived, address)
    }
    const tokens = await signIn(follows, cli, `${address}/callback`)
    assert((await oidc.refreshTokenGrant(cli, tokens.refresh_token)).access_token)
    await oidc.tokenRevocation(cli, tokens.refresh_token)
    listening.close()
  },
  async 'logout'() {
    const tokens = await signIn(browser, web, callback)
    const url = oidc.buildEndSessionUrl(web, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: `${ISSUER}/`,
      state: 'bye',
    })
    assert.equal((await browser.visit(url)).href, `${ISSUER}/?state=bye`)
    await refused('login_required', signIn(browser, web, callback, { prompt: 'none' }))
    await refused('invalid_grant', oidc.refreshTokenGrant(web, tokens.refresh_token))
  },
}

for (const [name, run] of Object.entries(flows)) {
  await run().catch((error) => {
    throw new Error(`${name}: ${error.message} ${JSON.stringify(error.cause ?? '', null, 1)}`, { cause: error })
  })
  console.log(name)
}
