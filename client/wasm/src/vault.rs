//! Sealing by a WebCrypto key that cannot be extracted: what is stored, and what goes to the frame worker.

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use zeroize::Zeroizing;

/// Bytes of the nonce before each sealed value.
const NONCE: usize = 12;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn get_random_values(array: &Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = generateKey, catch)]
    fn generate_key(algorithm: &JsValue, extractable: bool, uses: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], catch)]
    fn encrypt(algorithm: &JsValue, key: &JsValue, data: &Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], catch)]
    fn decrypt(algorithm: &JsValue, key: &JsValue, data: &Uint8Array) -> Result<Promise, JsValue>;
}

/// Seals and opens with one key.
#[derive(Clone)]
pub(crate) struct Vault {
    key: JsValue,
}

impl Vault {
    /// With a key of earlier.
    pub(crate) fn with(key: JsValue) -> Self {
        Self { key }
    }

    /// With a fresh key.
    pub(crate) async fn fresh() -> Result<Self, JsValue> {
        let algorithm = Object::new();
        Reflect::set(&algorithm, &"name".into(), &"AES-GCM".into())?;
        Reflect::set(&algorithm, &"length".into(), &256.into())?;
        let uses = Array::of2(&"encrypt".into(), &"decrypt".into());
        let key = JsFuture::from(generate_key(&algorithm, false, &uses)?).await?;
        Ok(Self { key })
    }

    /// The handle of the key.
    pub(crate) fn key(&self) -> JsValue {
        self.key.clone()
    }

    /// Seals; `place` is bound to what is sealed.
    pub(crate) async fn seal(&self, place: &str, plain: &[u8]) -> Result<Uint8Array, JsValue> {
        let nonce = Uint8Array::from(random::<NONCE>()?.as_slice());
        let sealed = encrypt(&algorithm(&nonce, place)?.into(), &self.key, &Uint8Array::from(plain))?;
        let sealed = Uint8Array::new(&JsFuture::from(sealed).await?);
        let all = Uint8Array::new_with_length(nonce.length() + sealed.length());
        all.set(&nonce, 0);
        all.set(&sealed, nonce.length());
        Ok(all)
    }

    /// Opens what was sealed for this place.
    pub(crate) async fn open(&self, place: &str, sealed: &Uint8Array) -> Result<Zeroizing<Vec<u8>>, JsValue> {
        let split = u32::try_from(NONCE).unwrap_or(0);
        let nonce = sealed.slice(0, split);
        let opened =
            decrypt(&algorithm(&nonce, place)?.into(), &self.key, &sealed.slice(split, sealed.length()))?;
        Ok(Zeroizing::new(Uint8Array::new(&JsFuture::from(opened).await?).to_vec()))
    }
}

/// Fresh randomness from the browser.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, JsValue> {
    let array = Uint8Array::new_with_length(u32::try_from(N).unwrap_or(0));
    get_random_values(&array)?;
    let mut bytes = Zeroizing::new([0; N]);
    array.copy_to(bytes.as_mut());
    Ok(bytes)
}

fn algorithm(nonce: &Uint8Array, place: &str) -> Result<Object, JsValue> {
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &"AES-GCM".into())?;
    Reflect::set(&algorithm, &"iv".into(), nonce)?;
    Reflect::set(&algorithm, &"additionalData".into(), &Uint8Array::from(place.as_bytes()))?;
    Ok(algorithm)
}
